"""Cutouts pasted into pictures: what is labelled is what can be seen, and what was there before is not forgotten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulation.simulated_worlds import car_and_walker, two_cameras, views
from training_images import bright_box_image

from perception.errors import UsageError
from perception.simulation.recorder import DriveRecorder
from perception.training.augmentation import KNOWN_STRIDE, collate, random_view
from perception.training.pasting import Cutout, Cutouts, covered_shares, read_cutouts
from perception.types import CLASSES

BICYCLE = CLASSES.index("bicycle")


def red_disc(label: int = BICYCLE, object_id: int = 5) -> Cutout:
    y, x = np.mgrid[:60, :60]
    pixels = np.zeros((60, 60, 4), np.uint8)
    pixels[..., 0] = 200
    pixels[..., 3] = np.where((x - 29.5) ** 2 + (y - 29.5) ** 2 < 30**2, 255, 0)
    return Cutout(pixels, label, object_id)


def is_red(picture: np.ndarray) -> np.ndarray:
    """At least as red as half of the disc's colour under the darkest gain."""
    return picture[..., 0].astype(int) > picture[..., 1].astype(int) + 30


def test_a_box_bounds_what_can_be_seen_of_its_cutout():
    cutouts, grey = Cutouts([red_disc()]), np.full((200, 300, 3), 90, np.uint8)
    seen = 0
    for seed in range(60):
        pasted = cutouts.paste(grey, np.random.default_rng(seed))
        assert (grey == 90).all()  # the picture itself stays as it was
        assert (pasted.labels == BICYCLE).all() and (pasted.object_ids == 5).all()
        np.testing.assert_array_equal(is_red(pasted.picture), is_red(pasted.picture) & grown(pasted.cover))
        if len(pasted.labels) != 1 or pasted.shown_shares[0] < 0.99:
            continue
        seen += 1
        rows, columns = np.nonzero(pasted.cover)
        around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(pasted.boxes_xyxy[0], around, atol=1.5)
    assert seen > 5


def grown(cover: np.ndarray) -> np.ndarray:
    """With the blurred edge around."""
    padded = np.pad(cover, 3)
    return np.any([np.roll(padded, (y, x), (0, 1)) for y in range(-3, 4) for x in range(-3, 4)], axis=0)[3:-3, 3:-3]


def test_the_shown_share_falls_with_what_lies_outside_or_behind_others():
    cutouts, grey = Cutouts([red_disc()]), np.full((200, 300, 3), 90, np.uint8)
    alone = [cutouts.paste(grey, np.random.default_rng(seed)) for seed in range(200)]
    cut = [p for p in alone if len(p.labels) == 1 and p.boxes_xyxy[0, 3] == 200]
    assert cut and all(p.shown_shares[0] < 1 for p in cut if p.boxes_xyxy[0, 1] > 150)
    for pasted in alone:
        assert (pasted.shown_shares >= 0).all() and (pasted.shown_shares <= 1).all()
        # Every pixel belongs to one of them, the last that was laid there.
        assert pasted.shown_shares.sum() <= len(pasted.labels)


def test_every_class_comes_equally_often():
    many_cars = [red_disc(label=0, object_id=index) for index in range(50)]
    cutouts = Cutouts([*many_cars, red_disc(BICYCLE, object_id=99)])
    rng = np.random.default_rng(0)
    labels = np.concatenate([cutouts.paste(np.zeros((64, 64, 3), np.uint8), rng).labels for _ in range(300)])
    assert 0.4 < np.mean(labels == BICYCLE) < 0.6


def test_views_show_them_as_often_as_the_image_says():
    cutouts = Cutouts([red_disc()])
    image = replace(bright_box_image((60, 30, 110, 70), zoom=(1.0, 1.0)), paste=0.25)
    views_ = [random_view(image, np.random.default_rng(seed), 224, 128, cutouts) for seed in range(400)]
    assert 0.18 < np.mean([len(view.pasted_xyxy) > 0 for view in views_]) < 0.32
    assert not any(len(random_view(image, np.random.default_rng(s), 224, 128).pasted_xyxy) for s in range(20))


def test_what_was_pasted_over_is_neither_object_nor_background():
    cutouts = Cutouts([red_disc()])
    image = replace(bright_box_image((76, 60, 84, 70), zoom=(1.0, 1.0)), paste=1.0)
    hidden = 0
    for seed in range(300):
        view = random_view(image, np.random.default_rng(seed), 160, 96, cutouts)
        assert len(view.labels) + len(view.ignore_labels) == 1 + len(view.pasted_xyxy)
        if 0 not in view.labels:
            hidden += 1
            assert 0 in view.ignore_labels
    assert 0 < hidden < 150


def test_no_imitated_detector_is_heard_where_something_was_pasted():
    cutouts = Cutouts([red_disc()])
    image = replace(bright_box_image((60, 30, 110, 70), zoom=(1.0, 1.0)), paste=1.0)
    view = random_view(image, np.random.default_rng(3), 224, 128, cutouts)
    batch = collate(
        [view, random_view(replace(image, paste=0.0), np.random.default_rng(3), 224, 128, cutouts)], 224, 128
    )
    assert batch.original.shape == (2, 1, 128 // KNOWN_STRIDE, 224 // KNOWN_STRIDE)
    assert batch.original[1].all()
    x, y = ((view.pasted_xyxy[0, :2] + view.pasted_xyxy[0, 2:]) / 2 / KNOWN_STRIDE).astype(int)
    assert not batch.original[0, 0, y, x]
    share = 1 - batch.original[0].float().mean().item()
    assert 0 < share < 0.9


def test_covered_shares():
    cover = np.zeros((20, 30), bool)
    cover[5:15, 10:20] = True
    boxes = np.array([[10, 5, 20, 15], [0, 0, 10, 5], [5, 5, 15, 15], [0, 0, 30, 20]], np.float32)
    np.testing.assert_allclose(covered_shares(boxes, cover), [1, 0, 0.5, 100 / 600])
    assert covered_shares(np.zeros((0, 4), np.float32), cover).shape == (0,)


def drive_with_masks(folder: Path) -> Path:
    """The front camera sees the car, id 7, whole at 30..36, 20..26; enlarged, so that it is large enough."""
    folder.mkdir()
    rig = two_cameras()
    seen = views(rig, 60)
    front = next(iter(seen))
    mask = np.zeros(seen[front].image.shape[:2], np.uint16)
    mask[12:36, 20:40] = 8
    mask[12:16, 20:24] = 0
    image = seen[front].image.copy()
    image[mask == 8] = 250
    boxes = np.array([[44.0, 20, 48, 46], [20, 12, 40, 36]])
    seen[front] = replace(seen[front], image=image, mask=mask, full_xyxy_px=boxes, visible_xyxy_px=boxes)
    with DriveRecorder(folder, rig, fps=5, crf=1) as recorder:
        recorder.write(car_and_walker(0.0), seen)
        recorder.write(car_and_walker(0.2), seen)
    return folder


def test_whole_objects_are_cut_out_of_recordings_with_masks(tmp_path: Path):
    cutouts = read_cutouts(drive_with_masks(tmp_path / "drive"))
    # The walker is half hidden. The car is the same one in both pictures.
    assert [CLASSES[cutout.label] for cutout in cutouts] == ["car", "car"]
    assert cutouts[0].object_id == cutouts[1].object_id
    assert cutouts[0].pixels.shape == (24, 20, 4)
    opaque = cutouts[0].pixels[..., 3]
    assert (opaque[:4, :4] == 0).all() and (opaque[4:] == 255).all()
    assert cutouts[0].pixels[8:16, 8:16, :3].mean() > 220


def test_what_cannot_be_cut_out_is_said(tmp_path: Path):
    folder = drive_with_masks(tmp_path / "drive")
    next((folder / "masks").rglob("000001.png")).write_bytes(b"no picture")
    with pytest.raises(UsageError, match=r"000001\.png.*--masks"):
        read_cutouts(folder)
    for path in (folder / "masks").rglob("*.png"):
        path.unlink()
    (folder / "masks" / "front").rmdir()
    (folder / "masks").rmdir()
    with pytest.raises(UsageError, match="no masks"):
        read_cutouts(folder)
    with pytest.raises(UsageError, match="no road user"):
        Cutouts([])
