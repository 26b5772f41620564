"""Suppression over a batch against the textbook loop over one image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.detection_cases import iou_matrix

from perception.arrays import FloatArray
from perception.detection.nms import SUPPRESSION_GROUPS, nms
from perception.taxonomy import CLASSES


def reference(
    scores: FloatArray, boxes: FloatArray, *, threshold: float, iou: float, most: int
) -> list[tuple[int, int]]:
    """(grid point, label) of what one image (A, C), (A, 4) keeps, best first."""
    labels, best = scores.argmax(axis=1), scores.max(axis=1)
    overlap = iou_matrix(boxes, boxes)
    kept: list[int] = []
    for point in np.argsort(-best, kind="stable"):
        if best[point] <= threshold:
            break
        rivals = [k for k in kept if SUPPRESSION_GROUPS[labels[k]] == SUPPRESSION_GROUPS[labels[point]]]
        if all(overlap[point, k] <= iou for k in rivals):
            kept.append(int(point))
    return [(point, int(labels[point])) for point in kept[:most]]


def random_boxes(generator: np.random.Generator, *shape: int) -> FloatArray:
    corners = generator.uniform(0, 60, (*shape, 2))
    return np.concatenate([corners, corners + generator.uniform(10, 40, (*shape, 2))], axis=-1).astype(np.float32)


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_loop_in_each_image(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.permutation(np.linspace(0, 1, 3 * 80 * 6)).reshape(3, 80, 6).astype(np.float32) ** 3
    boxes = random_boxes(generator, 3, 80)
    kept = nms(
        torch.from_numpy(scores), torch.from_numpy(boxes), score_threshold=0.2, iou_threshold=0.4, max_objects=15
    )
    for image in range(3):
        rows = kept.image_indices == image
        found = list(zip(kept.point_indices[rows].tolist(), kept.labels[rows].tolist(), strict=True))
        assert found == reference(scores[image], boxes[image], threshold=0.2, iou=0.4, most=15)
    assert kept.image_indices.tolist() == sorted(kept.image_indices.tolist())
    np.testing.assert_array_equal(
        kept.boxes_xyxy.numpy(), boxes[kept.image_indices.numpy(), kept.point_indices.numpy()]
    )


def test_a_van_is_one_object_and_a_pedestrian_on_it_stays() -> None:
    box = torch.tensor([[[10.0, 10, 50, 50]] * 4])
    scores = torch.zeros(1, 4, len(CLASSES))
    for point, (name, score) in enumerate([("car", 0.8), ("truck", 0.7), ("bicycle", 0.6), ("pedestrian", 0.5)]):
        scores[0, point, CLASSES.index(name)] = score
    kept = nms(scores, box, score_threshold=0.1, iou_threshold=0.5)
    assert [CLASSES[label] for label in kept.labels.tolist()] == ["car", "pedestrian"]


def test_the_same_box_in_two_images_stays_in_both() -> None:
    scores = torch.zeros(2, 1, len(CLASSES))
    scores[:, 0, 0] = 0.9
    kept = nms(scores, torch.tensor([[[0.0, 0, 9, 9]]] * 2), score_threshold=0.1, iou_threshold=0.5)
    assert kept.image_indices.tolist() == [0, 1]


def test_classes_that_are_not_allowed_are_never_reported() -> None:
    generator = np.random.default_rng(0)
    scores = torch.from_numpy(generator.uniform(0, 1, (2, 50, 6)).astype(np.float32))
    allowed = torch.tensor([False, True, False, False, False, True])
    kept = nms(
        scores,
        torch.from_numpy(random_boxes(generator, 2, 50)),
        score_threshold=0.0,
        iou_threshold=0.9,
        allowed_labels=allowed,
    )
    assert set(kept.labels.tolist()) == {1, 5}


def test_only_the_best_candidates_enter() -> None:
    scores = torch.zeros(1, 5, len(CLASSES))
    scores[0, :, 0] = torch.tensor([0.5, 0.9, 0.7, 0.6, 0.8])
    boxes = torch.arange(5.0)[None, :, None] * 100 + torch.tensor([0.0, 0, 10, 10])
    kept = nms(scores, boxes, score_threshold=0.1, iou_threshold=0.5, max_candidates=3)
    assert kept.point_indices.tolist() == [1, 4, 2]


def test_nothing_above_the_threshold_is_an_empty_answer() -> None:
    kept = nms(torch.zeros(2, 7, len(CLASSES)), torch.zeros(2, 7, 4), score_threshold=0.1, iou_threshold=0.5)
    assert len(kept.scores) == 0 and kept.boxes_xyxy.shape == (0, 4)


@pytest.mark.parametrize("seed", range(4))
def test_blended_boxes_are_the_means_of_those_that_overlap_enough(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.uniform(0, 1, (2, 120, 6)).astype(np.float32) ** 3
    boxes = random_boxes(generator, 2, 120)
    arguments = {"score_threshold": 0.2, "iou_threshold": 0.6}
    plain = nms(torch.from_numpy(scores), torch.from_numpy(boxes), **arguments)
    kept = nms(torch.from_numpy(scores), torch.from_numpy(boxes), blend_iou=0.4, **arguments)
    for name in ("image_indices", "point_indices", "scores", "labels"):
        torch.testing.assert_close(getattr(kept, name), getattr(plain, name), rtol=0, atol=0)
    groups = np.array(SUPPRESSION_GROUPS)
    moved = 0
    for image, point, label, box in zip(
        kept.image_indices.tolist(), kept.point_indices.tolist(), kept.labels.tolist(), kept.boxes_xyxy, strict=True
    ):
        best, labels = scores[image].max(axis=1), scores[image].argmax(axis=1)
        agrees = (iou_matrix(boxes[image, point][None], boxes[image])[0] > 0.4) & (best > 0.2)
        agrees &= groups[labels] == groups[label]
        expected = np.average(boxes[image][agrees], axis=0, weights=best[agrees] ** 2)
        np.testing.assert_allclose(box.numpy(), expected, atol=1e-3)
        moved += agrees.sum() > 1
    assert moved > 20


def test_an_empty_box_stays_where_it_is() -> None:
    scores = torch.zeros(1, 1, len(CLASSES))
    scores[0, 0, 0] = 0.9
    kept = nms(scores, torch.full((1, 1, 4), 7.0), score_threshold=0.1, iou_threshold=0.5, blend_iou=0.5)
    assert kept.boxes_xyxy.tolist() == [[7.0, 7.0, 7.0, 7.0]]
