import numpy as np
import pytest
from support.training_images import bright_box_image

from perception.taxonomy import CLASSES
from perception.training.detector.augmentation import KNOWN_STRIDE, make_batch, random_view


@pytest.mark.parametrize("zoom", [(0.2, 0.4), (0.9, 1.1), (2.0, 3.0)])
def test_boxes_stay_on_what_they_bound(zoom):
    """Shrunk, mirrored, cropped: inside a moved box it is bright, just outside dark."""
    image = bright_box_image((60, 30, 110, 70), zoom=zoom)
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


def test_what_is_mostly_cropped_is_neither_object_nor_background():
    image = bright_box_image((0, 0, 160, 96), zoom=(6.0, 6.0))
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
        bright_box_image((60, 30, 110, 70), exhaustive=partly, zoom=(1.0, 1.0)),
        bright_box_image((60, 30, 110, 70), ignore_xyxy_px=ignored, ignore_labels=np.array([5]), zoom=(1.0, 1.0)),
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
