"""The batched filter against a plain one per object, and the properties that a covariance must keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from perception.tracking.image import box_filter
from perception.tracking.image.box_filter import MIN_SIDE_PX, MotionNoise

NOISE = MotionNoise()
SIZE_PX = (640, 360)


def random_boxes(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Boxes (N, 4) as centre and size, scores (N,) and image sizes (N, 2)."""
    rng = np.random.default_rng(seed)
    boxes = np.concatenate([rng.uniform(0.1, 0.9, (count, 2)), rng.uniform(0.02, 0.3, (count, 2))], axis=1)
    return boxes, rng.uniform(0.1, 1.0, count), np.tile(SIZE_PX, (count, 1))


class OneObjectFilter:
    """The textbook equations for one object, written without looking at the batched code."""

    def __init__(self, box: NDArray[np.float64], score: float) -> None:
        self.x = np.concatenate([box, np.zeros(4)])
        rate = self.size(box) * np.array([NOISE.initial_speed_std] * 2 + [NOISE.initial_size_rate_std] * 2)
        self.p = np.diag(np.concatenate([self.spread(box, score), rate]) ** 2)

    @staticmethod
    def size(box: NDArray[np.float64]) -> NDArray[np.float64]:
        side_px = (box[2] * SIZE_PX[0] * box[3] * SIZE_PX[1]) ** 0.5
        return np.array([side_px / SIZE_PX[0], side_px / SIZE_PX[1]] * 2)

    @staticmethod
    def spread(box: NDArray[np.float64], score: float) -> NDArray[np.float64]:
        return np.array([box[2], box[3], box[2], box[3]]) * NOISE.measurement_std * (1.2 - 0.6 * score)

    def predict(self, dt: float) -> None:
        f, q = np.eye(8), np.zeros((8, 8))
        size = self.size(self.x)
        densities = [NOISE.centre_acceleration_density] * 2 + [NOISE.size_acceleration_density] * 2
        for i in range(4):
            f[i, i + 4] = dt
            power = (densities[i] * size[i]) ** 2
            q[i, i], q[i + 4, i + 4] = power * dt**3 / 3, power * dt
            q[i, i + 4] = q[i + 4, i] = power * dt**2 / 2
        self.x, self.p = f @ self.x, f @ self.p @ f.T + q

    def update(self, box: NDArray[np.float64], score: float) -> None:
        h = np.eye(4, 8)
        s = h @ self.p @ h.T + np.diag(self.spread(box, score) ** 2)
        gain = self.p @ h.T @ np.linalg.inv(s)
        self.x = self.x + gain @ (box - h @ self.x)
        self.p = (np.eye(8) - gain @ h) @ self.p


def test_the_batch_equals_one_filter_per_object() -> None:
    rng = np.random.default_rng(0)
    boxes, scores, sizes_px = random_boxes(20, seed=1)
    means, covariances = box_filter.initial_state(boxes, scores, sizes_px, NOISE)
    singles = [OneObjectFilter(box, score) for box, score in zip(boxes, scores, strict=True)]
    for dt_s in (0.033, 0.2, 0.0, 0.8, 0.1):
        boxes = boxes + rng.normal(0, 0.003, boxes.shape)
        means, covariances = box_filter.predict(means, covariances, dt_s, sizes_px, NOISE)
        stds = box_filter.measurement_stds(boxes, scores, NOISE)
        means, covariances = box_filter.update(means, covariances, boxes, stds, sizes_px)
        for single, box, score in zip(singles, boxes, scores, strict=True):
            single.predict(dt_s)
            single.update(box, score)
    np.testing.assert_allclose(means, [single.x for single in singles], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(covariances, [single.p for single in singles], rtol=1e-7, atol=1e-14)


def test_two_half_steps_equal_a_whole_one() -> None:
    boxes, scores, sizes_px = random_boxes(10, seed=2)
    start = box_filter.initial_state(boxes, scores, sizes_px, NOISE)  # at rest, so the object's size stays as it is
    whole = box_filter.predict(*start, 0.4, sizes_px, NOISE)
    halves = box_filter.predict(*box_filter.predict(*start, 0.2, sizes_px, NOISE), 0.2, sizes_px, NOISE)
    np.testing.assert_allclose(halves[0], whole[0])
    np.testing.assert_allclose(halves[1], whole[1])


def test_no_time_changes_nothing() -> None:
    boxes, scores, sizes_px = random_boxes(5, seed=3)
    means, covariances = box_filter.initial_state(boxes, scores, sizes_px, NOISE)
    same_means, same_covariances = box_filter.predict(means, covariances, 0.0, sizes_px, NOISE)
    np.testing.assert_array_equal(same_means, means)
    np.testing.assert_array_equal(same_covariances, covariances)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    steps=st.lists(st.tuples(st.floats(0.0, 2.0), st.booleans()), min_size=1, max_size=30),
)
def test_covariances_stay_symmetric_and_positive_and_grow_unseen(seed: int, steps: list[tuple[float, bool]]) -> None:
    rng = np.random.default_rng(seed)
    boxes, scores, sizes_px = random_boxes(6, seed)
    means, covariances = box_filter.initial_state(boxes, scores, sizes_px, NOISE)
    for dt_s, is_seen in steps:
        before = covariances
        means, covariances = box_filter.predict(means, covariances, dt_s, sizes_px, NOISE)
        grown_rates = np.diagonal(covariances - before, axis1=1, axis2=2)[:, 4:]
        assert (grown_rates >= 0).all()
        if dt_s > 0.01:
            assert (grown_rates > 0).all()
        if is_seen:
            predicted = covariances
            boxes = np.clip(boxes + rng.normal(0, 0.05, boxes.shape), 0.005, 1)
            stds = box_filter.measurement_stds(boxes, scores, NOISE)
            means, covariances = box_filter.update(means, covariances, boxes, stds, sizes_px)
            assert (np.diagonal(covariances - predicted, axis1=1, axis2=2) <= 1e-15).all()
        np.testing.assert_array_equal(covariances, covariances.transpose(0, 2, 1))
        assert (np.linalg.eigvalsh(covariances) > 0).all()
        assert (means[:, 2:4] * SIZE_PX >= MIN_SIDE_PX - 1e-9).all()


def test_a_shrinking_box_stops_at_one_pixel() -> None:
    boxes, scores, sizes_px = random_boxes(1, seed=4)
    means, covariances = box_filter.initial_state(boxes, scores, sizes_px, NOISE)
    means[:, 6:8] = -1.0
    means, _ = box_filter.predict(means, covariances, 5.0, sizes_px, NOISE)
    np.testing.assert_allclose(means[0, 2:4] * SIZE_PX, MIN_SIDE_PX)
    np.testing.assert_array_equal(means[0, 6:8], 0.0)


def test_mahalanobis_distance_counts_standard_deviations() -> None:
    boxes, scores, sizes_px = random_boxes(3, seed=5)
    means, covariances = box_filter.initial_state(boxes, scores, sizes_px, NOISE)
    stds = box_filter.measurement_stds(boxes, scores, NOISE)
    moved = boxes.copy()
    moved[:, 0] += 3 * np.sqrt(2) * stds[:, 0]  # prediction and measurement are equally uncertain
    distances = box_filter.squared_mahalanobis(means, covariances, moved, stds)
    np.testing.assert_allclose(np.diagonal(distances), 9.0)


@pytest.mark.parametrize("field", ["centre_acceleration_density", "initial_speed_std"])
def test_noise_must_be_positive(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        MotionNoise.model_validate({field: 0.0})
