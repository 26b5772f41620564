from dataclasses import replace

import numpy as np
import pytest
from support.training_images import bright_box_image

from perception.taxonomy import CLASSES
from perception.training.detector.augmentation import KNOWN_STRIDE, make_batch, random_view


@pytest.mark.parametrize("scale", [(0.2, 0.4), (0.9, 1.1), (2.0, 3.0)])
def test_boxes_stay_on_what_they_bound(scale, monkeypatch):
    """Shrunk, mirrored, cropped: inside a moved box it is bright, just outside dark."""
    monkeypatch.setattr("perception.training.detector.augmentation._DARK_SHARE", 0.0)
    image = bright_box_image((60, 30, 110, 70), scale=scale)
    seen = 0
    for seed in range(60):
        view = random_view(image, np.random.default_rng(seed), 224, 128)
        if len(view.labels) == 0:
            continue
        seen += 1
        x1, y1, x2, y2 = view.boxes_xyxy[0]
        bright = view.image.mean(axis=2)
        inside = bright[int(y1) + 1 : int(y2) - 1, int(x1) + 1 : int(x2) - 1]
        left = bright[int(y1) : int(y2), max(0, int(x1) - 6) : max(0, int(x1) - 2)]
        assert inside.mean() > 150
        if left.size:
            assert left.mean() < inside.mean() - 60
    assert seen > 15


def test_at_times_it_is_night():
    image = bright_box_image((0, 0, 160, 96), scale=(1.0, 1.0))
    light = [random_view(image, np.random.default_rng(seed), 160, 96).image.mean() for seed in range(100)]
    assert 3 <= sum(value < 100 for value in light) <= 30


def test_what_is_mostly_cropped_is_neither_object_nor_background():
    image = bright_box_image((0, 0, 160, 96), scale=(6.0, 6.0))
    views = [random_view(image, np.random.default_rng(seed), 64, 64) for seed in range(20)]
    for view in views:
        assert len(view.labels) == 0
        assert len(view.ignore_labels) == 1


def test_a_batch_is_the_same_for_the_same_seed_and_holds_pairs():
    images = [bright_box_image((20 + 4 * i, 20, 60 + 4 * i, 60), label=i % 6) for i in range(8)]
    share = np.full(8, 1 / 8)

    def draw(seed: int):
        return make_batch(images, share, np.random.default_rng(seed), batch_size=8, sizes_px=[(128, 96)], mosaic=0.5)

    first, again, other = draw(1), draw(1), draw(2)
    assert first.images.shape == (8, 96, 128, 3)
    assert first.images.equal(again.images)
    assert first.boxes_xyxy.equal(again.boxes_xyxy)
    assert not first.images.equal(other.images)
    ids = [set(row[valid].tolist()) for row, valid in zip(first.object_ids, first.valid, strict=True)]
    assert any(ids[0] & ids[1] for ids in [ids[:2], ids[2:4]])


def test_nobody_is_punished_where_nobody_knows():
    partly = np.array([name == "car" for name in CLASSES])
    ignored = np.array([[0, 0, 160, 96]], np.float32)
    images = [
        bright_box_image((60, 30, 110, 70), exhaustive=partly, scale=(1.0, 1.0)),
        bright_box_image((60, 30, 110, 70), ignore_xyxy_px=ignored, ignore_labels=np.array([5]), scale=(1.0, 1.0)),
    ]
    for image, unknown in zip(images, (range(1, 6), [5]), strict=True):
        batch = make_batch(
            [image], np.ones(1), np.random.default_rng(0), batch_size=4, sizes_px=[(160, 96)], mosaic=0.0
        )
        assert batch.known.shape == (4, 6, 96 // KNOWN_STRIDE, 160 // KNOWN_STRIDE)
        centre = batch.known[:, :, 6, 10]
        for label in range(6):
            assert centre[:, label].any() == (label not in unknown)


def test_every_part_of_a_mosaic_keeps_its_own_gaps():
    partly = np.array([name == "car" for name in CLASSES])
    images = [bright_box_image((60, 30, 110, 70)), bright_box_image((60, 30, 110, 70), exhaustive=partly)]
    batch = make_batch(
        images, np.array([0.5, 0.5]), np.random.default_rng(3), batch_size=8, sizes_px=[(128, 96)], mosaic=1.0
    )
    shares = batch.known[:, 5].float().mean(dim=(1, 2))
    assert ((shares > 0) & (shares < 1)).any()
    assert batch.known[:, 0].float().mean() > 0.9


def test_near_views_show_a_road_user_large_and_cut_off():
    image = bright_box_image((70, 40, 90, 60), scale=(1.0, 1.0), near=1.0)
    cut, heights = 0, []
    for seed in range(60):
        view = random_view(image, np.random.default_rng(seed), 224, 128)
        assert len(view.labels) + len(view.ignore_labels) == 1
        for x1, y1, x2, y2 in view.boxes_xyxy:
            cut += x1 <= 0 or y1 <= 0 or x2 >= 224 or y2 >= 128
            heights.append(y2 - y1)
            inside = view.image[int(y1) + 2 : int(y2) - 2, int(x1) + 2 : int(x2) - 2].mean()
            assert inside > view.image.mean()
    assert cut > 45 and np.median(heights) > 40
    plain = [random_view(replace(image, near=0.0), np.random.default_rng(seed), 224, 128) for seed in range(20)]
    assert all(view.boxes_xyxy[:, 3].max() - view.boxes_xyxy[:, 1].min() < 40 for view in plain)


def test_what_is_cut_off_but_fills_the_view_is_an_object():
    """A fifth of a box can be seen, and is a third of the view."""
    image = bright_box_image((0, 0, 160, 96), scale=(2.2, 2.2))
    views = [random_view(image, np.random.default_rng(seed), 160, 96) for seed in range(20)]
    assert all(len(view.labels) == 1 for view in views)
