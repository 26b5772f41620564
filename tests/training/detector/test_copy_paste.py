"""Cutouts pasted into pictures: what is labelled is what can be seen, and what was there before is not forgotten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.simulated_worlds import car_and_walker, two_cameras, views
from support.training_images import bright_box_image

from perception.detection.letterbox import PADDING_GREY
from perception.errors import UsageError
from perception.simulation.recorder import DriveRecorder
from perception.sources.files.masks import write_mask
from perception.taxonomy import CLASSES
from perception.training.detector.augmentation import KNOWN_STRIDE, _mosaic, collate, random_view
from perception.training.detector.copy_paste import Cutout, Cutouts, Pasted, _cut, covered_shares, read_cutouts

BICYCLE = CLASSES.index("bicycle")


def red_disc(label: int = BICYCLE, object_id: int = 5, colour: int = 0, size: int = 60) -> Cutout:
    """With a margin, as a cutout has."""
    y, x = np.mgrid[: size + 6, : size + 6] - (size + 5) / 2
    pixels = np.zeros((size + 6, size + 6, 4), np.uint8)
    pixels[..., colour] = 200
    pixels[..., 3] = np.where(x**2 + y**2 < (size / 2) ** 2, 255, 0)
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


def test_larger_ones_stand_in_front_and_shares_measure_what_is_seen():
    """The green ones are cut out so small that they stay small; what is counted in the picture is what is told."""
    large, small = red_disc(), red_disc(label=0, object_id=6, colour=1, size=20)
    cutouts, grey = Cutouts([large, small]), np.full((200, 300, 3), 90, np.uint8)
    hidden = cut = 0
    for seed in range(1200):
        pasted = cutouts.paste(grey, np.random.default_rng(seed))
        heights = pasted.boxes_xyxy[:, 3] - pasted.boxes_xyxy[:, 1]
        cut += int(((pasted.boxes_xyxy[:, 3] == 200) & (pasted.shown_shares < 0.9)).any())
        assert (pasted.shown_shares >= 0).all() and (pasted.shown_shares <= 1).all()
        if sorted(pasted.labels) != [0, BICYCLE] or (pasted.boxes_xyxy[:, 3] == 200).any():
            continue
        if (pasted.boxes_xyxy[:, [0, 2]] % 300 == 0).any():
            continue
        picture = pasted.picture.astype(int)
        counted = {BICYCLE: (picture[..., 0] > picture[..., 1] + 60), 0: (picture[..., 1] > picture[..., 0] + 60)}
        for label, share, height in zip(pasted.labels, pasted.shown_shares, heights, strict=True):
            disc_px = np.pi / 4 * height**2
            assert counted[label].sum() == pytest.approx(share * disc_px, rel=0.25, abs=80)
        if pasted.shown_shares.min() < 0.6 and abs(heights[0] - heights[1]) > 1:
            hidden += 1
            assert pasted.shown_shares[heights.argmax()] > 0.99
    assert hidden > 2 and cut > 5


def test_the_edge_shows_nothing_of_where_it_was_cut_out():
    image = np.zeros((40, 40, 3), np.uint8)
    image[..., 1] = 255  # a green scene
    is_object = np.zeros((40, 40), bool)
    is_object[10:30, 14:22] = True
    is_object[12:20, 14:18] = False
    image[is_object] = (220, 0, 0)
    pixels = _cut(image, is_object)
    assert pixels.shape == (26, 14, 4)
    assert (pixels[..., :3] == (220, 0, 0)).all()
    np.testing.assert_array_equal(pixels[3:-3, 3:-3, 3] > 0, is_object[10:30, 14:22])
    cutouts = Cutouts([Cutout(pixels, BICYCLE, 1)])
    for seed in range(20):
        picture = cutouts.paste(np.full((120, 160, 3), 60, np.uint8), np.random.default_rng(seed)).picture
        assert picture[..., 1].max() <= 61


def test_half_of_them_are_mirrored():
    pixels = np.zeros((46, 26, 4), np.uint8)
    pixels[3:-3, 3:-3, 3], pixels[..., 0], pixels[:, 13:, 2] = 255, 200, 200  # red, its right half violet
    cutouts, violet_right = Cutouts([Cutout(pixels, 0, 1)]), []
    for seed in range(120):
        pasted = cutouts.paste(np.zeros((160, 240, 3), np.uint8), np.random.default_rng(seed))
        if len(pasted.labels) == 1 and pasted.shown_shares[0] > 0.99:
            columns = np.flatnonzero(pasted.cover.any(axis=0))
            blue = pasted.picture[pasted.cover.any(axis=1)][:, columns, 2].mean(axis=0)
            violet_right.append(blue[-3:].mean() > blue[:3].mean())
    assert 0.2 < np.mean(violet_right) < 0.8


def test_small_and_cut_off_ones_are_left_where_they_are(tmp_path: Path):
    folder = drive_with_masks(tmp_path / "drive")
    text = (folder / "objects.csv").read_text()
    assert len(read_cutouts(folder)) == 2
    for box in ("20.0,12.0,40.0,31.0", "1.0,12.0,40.0,36.0", "20.0,12.0,79.0,36.0"):
        (folder / "objects.csv").write_text(text.replace("20.0,12.0,40.0,36.0", box))
        assert read_cutouts(folder) == []


def test_every_class_comes_equally_often():
    many_cars = [red_disc(label=0, object_id=index) for index in range(50)]
    cutouts = Cutouts([*many_cars, red_disc(BICYCLE, object_id=99)])
    rng = np.random.default_rng(0)
    labels = np.concatenate([cutouts.paste(np.zeros((64, 64, 3), np.uint8), rng).labels for _ in range(300)])
    assert 0.4 < np.mean(labels == BICYCLE) < 0.6


def test_views_show_them_as_often_as_the_image_states():
    cutouts = Cutouts([red_disc()])
    image = replace(bright_box_image((60, 30, 110, 70), scale=(1.0, 1.0)), paste=0.25)
    views_ = [random_view(image, np.random.default_rng(seed), 224, 128, cutouts) for seed in range(400)]
    assert 0.18 < np.mean([len(view.pasted_xyxy) > 0 for view in views_]) < 0.32
    assert not any(len(random_view(image, np.random.default_rng(s), 224, 128).pasted_xyxy) for s in range(20))


def test_what_was_pasted_over_is_neither_object_nor_background():
    cutouts = Cutouts([red_disc()])
    image = replace(bright_box_image((76, 60, 84, 70), scale=(1.0, 1.0)), paste=1.0)
    hidden = 0
    for seed in range(300):
        view = random_view(image, np.random.default_rng(seed), 160, 96, cutouts)
        riders = (view.ignore_labels == CLASSES.index("pedestrian")).sum()
        assert len(view.labels) + len(view.ignore_labels) - riders == 1 + len(view.pasted_xyxy)
        if 0 not in view.labels:
            hidden += 1
            assert 0 in view.ignore_labels
    assert 0 < hidden < 150


def test_nothing_is_pasted_beside_the_picture():
    """Of a view that is smaller than its canvas the padding stays grey."""
    cutouts, image = OverTheUpperPart(), replace(bright_box_image((60, 30, 110, 70), scale=(0.3, 0.5)), paste=1.0)
    for seed in range(20):
        random_view(image, np.random.default_rng(seed), 224, 128, cutouts)
    assert all((picture[1:-1, 1:-1] != PADDING_GREY).all() for picture in cutouts.pictures)
    assert all(0.25 < len(picture) / 128 < 0.6 for picture in cutouts.pictures)


class OverTheUpperPart:
    """Pastes nothing that is an object, but covers the upper part of the picture; remembers what it was given."""

    def __init__(self, share: float = 0.5) -> None:
        self.pictures: list[np.ndarray] = []
        self.share = share

    def paste(self, picture: np.ndarray, rng: np.random.Generator) -> Pasted:
        self.pictures.append(picture)
        cover = np.zeros(picture.shape[:2], bool)
        cover[: int(len(cover) * self.share)] = True
        none = np.zeros(0, int)
        return Pasted(picture, np.zeros((0, 4), np.float32), none, none, np.zeros(0), cover)


def test_what_was_half_cropped_and_then_mostly_covered_is_hidden():
    # Twice as wide as the canvas: of the object, which fills the picture, half is seen, and a tenth after pasting. A
    # quarter of something so large would do.
    image = replace(bright_box_image((0, 0, 160, 96), scale=(2.0, 2.0)), paste=1.0)
    for seed in range(10):
        half, most, none = (
            random_view(replace(image, paste=paste), np.random.default_rng(seed), 160, 192, OverTheUpperPart(share))
            for share, paste in ((0.5, 1.0), (0.8, 1.0), (0.8, 0.0))
        )
        assert len(most.labels) == 0 and most.ignore_labels.tolist() == [0]
        assert len(half.labels) == len(none.labels) == 1


def test_the_rider_of_a_pasted_machine_may_be_a_pedestrian():
    cutouts = Cutouts([red_disc()])
    image = replace(bright_box_image((2, 2, 9, 9), scale=(1.0, 1.0)), paste=1.0)
    view = random_view(image, np.random.default_rng(3), 160, 96, cutouts)
    assert CLASSES.index("pedestrian") in view.ignore_labels


def test_in_a_mosaic_everything_moves_along():
    cutouts = Cutouts([red_disc()])
    image = replace(bright_box_image((60, 30, 110, 70), scale=(1.0, 1.0)), paste=1.0)
    view = _mosaic([image] * 4, np.random.default_rng(0), 320, 256, cutouts)
    found = 0
    for x1, y1, x2, y2 in view.pasted_xyxy.round().astype(int):
        part = view.image[y1:y2, x1:x2].astype(int)
        if (x2 - x1) * (y2 - y1) > 400:
            found += 1
            assert (part[..., 0] > part[..., 1] + 15).mean() > 0.2
    assert found > 2


def test_no_distilled_detector_counts_where_something_was_pasted():
    cutouts = Cutouts([red_disc()])
    image = replace(bright_box_image((60, 30, 110, 70), scale=(1.0, 1.0)), paste=1.0)
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
    """The front camera sees the car, id 7, whole at 20..40, 12..36, but for a corner that is not its own."""
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
    assert cutouts[0].pixels.shape == (30, 26, 4) and cutouts[0].height_px == 24
    opaque = cutouts[0].pixels[3:-3, 3:-3, 3]
    assert (opaque[:4, :4] == 0).all() and (opaque[4:] == 255).all()
    assert cutouts[0].pixels[..., :3].mean() > 220


def test_what_cannot_be_cut_out_is_reported(tmp_path: Path):
    folder = drive_with_masks(tmp_path / "drive")
    next((folder / "masks").rglob("000001.png")).write_bytes(b"no picture")
    with pytest.raises(UsageError, match=r"000001\.png.*masks"):
        read_cutouts(folder)
    write_mask(folder, "front", 1, np.zeros((8, 8), np.uint16))
    with pytest.raises(UsageError, match="front have another size"):
        read_cutouts(folder)
    for path in (folder / "masks").rglob("*.png"):
        path.unlink()
    (folder / "masks" / "front").rmdir()
    (folder / "masks").rmdir()
    with pytest.raises(UsageError, match="no masks"):
        read_cutouts(folder)
    (folder / "objects.csv").unlink()
    with pytest.raises(UsageError, match="no ground truth"):
        read_cutouts(folder)
    with pytest.raises(UsageError, match="no road user"):
        Cutouts([])
