"""The road under the car: found where it is, and not led astray."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from perception.tracking.ground.road_plane import MAX_DEPTH_M, RoadEstimator, RoadPlane, RoadSamples, RoadSettings

Array = NDArray[np.float64]


def samples_of(
    plane: Array,
    count: int,
    rng: np.random.Generator,
    *,
    spread: float = 0.1,
    scale: float = 1.0,
    vehicles: bool = True,
) -> RoadSamples:
    """Feet all around on a road, seen from 1.5 m above the origin; sizes stray by 10 % and all by ``scale``."""
    angles, depths_m = rng.uniform(-np.pi, np.pi, count), rng.uniform(6, 40, count)
    along = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    heights_m = plane[0] + (depths_m[:, None] * along) @ plane[1:]
    rays = np.column_stack([along, (heights_m - 1.5) / depths_m])
    return RoadSamples(
        origins_m=np.tile([0.0, 0.0, 1.5], (count, 1)),
        rays=rays,
        depths_m=depths_m * np.exp(rng.normal(0, 0.1, count)) / scale,
        depth_stds=np.full(count, 0.12),
        ray_stds=np.full(count, 0.001),
        is_vehicle=np.full(count, vehicles),
    )


def test_a_ray_meets_the_plane_where_geometry_puts_it() -> None:
    plane = RoadPlane(np.array([-0.5, 0.1, 0.0]), np.eye(3), 0.0)
    rays = np.array([[1.0, 0, -0.1], [1.0, 0, 0.2], [1.0, 0.0, 0.05]])
    depths_m, drops, meets = plane.meet(np.tile([0.0, 0.0, 1.5], (3, 1)), rays)
    # 1.5 - 0.1 d = -0.5 + 0.1 d, so d = 10; the second goes up more steeply than the road.
    np.testing.assert_allclose(depths_m, [10.0, MAX_DEPTH_M, 40.0])
    np.testing.assert_allclose(drops[[0, 2]], [0.2, 0.05])
    assert meets.tolist() == [True, False, True]


def test_without_samples_it_is_that_of_the_rig() -> None:
    road = RoadEstimator(-0.3)
    for _ in range(20):
        plane = road.update(samples_of(np.zeros(3), 0, np.random.default_rng(0)), 0.1)
    np.testing.assert_allclose(plane.coefficients, [-0.3, 0, 0])
    assert plane.vehicle_scale == 1.0


@pytest.mark.parametrize("seed", range(3))
def test_a_slope_is_found(seed: int) -> None:
    rng, truth = np.random.default_rng(seed), np.array([0.0, 0.02, -0.01])
    road = RoadEstimator(0.0)
    for _ in range(40):
        plane = road.update(samples_of(truth, 15, rng), 0.5)
    np.testing.assert_allclose(plane.coefficients[1:], truth[1:], atol=0.004)
    assert abs(plane.coefficients[0]) < 0.06


def test_sizes_that_err_together_are_no_slope() -> None:
    # All that stands ahead looks 5 % too small, as children do; at two places it reads as a road that falls.
    rng, ahead = np.random.default_rng(0), np.array([[1.0, 0.0], [0.9, 0.3]])
    sloping, either = RoadEstimator(0.0, RoadSettings(flat_share=1e-9)), RoadEstimator(0.0)
    for _ in range(40):
        depths_m = rng.uniform(8, 35, 6)
        samples = RoadSamples(
            origins_m=np.tile([0.0, 0.0, 1.5], (6, 1)),
            rays=np.column_stack([np.tile(ahead, (3, 1)), -1.5 / depths_m]),
            depths_m=1.05 * depths_m * np.exp(rng.normal(0, 0.05, 6)),
            depth_stds=np.full(6, 0.08),
            ray_stds=np.full(6, 0.002),
            is_vehicle=np.zeros(6, bool),
        )
        sloping.update(samples, 0.2)
        either.update(samples, 0.2)
    at_m = np.array([25.0, 0.0])
    assert sloping.plane.heights_m(at_m) < -0.06
    assert abs(either.plane.heights_m(at_m)) < 0.75 * abs(sloping.plane.heights_m(at_m))
    assert either.plane.unevenness < sloping.plane.unevenness


def test_pedestrians_distinguish_a_lower_road_from_larger_vehicles() -> None:
    rng = np.random.default_rng(0)
    low, large = RoadEstimator(0.0), RoadEstimator(0.0)
    for _ in range(40):
        low.update(samples_of(np.array([-0.1, 0, 0]), 15, rng, vehicles=False), 0.5)
        large.update(samples_of(np.zeros(3), 10, rng, vehicles=False), 0.5)
        large.update(samples_of(np.zeros(3), 15, rng, scale=1.15), 0.5)
    assert low.plane.coefficients[0] < -0.03
    assert low.plane.vehicle_scale == pytest.approx(1.0)
    assert abs(large.plane.coefficients[0]) < 0.03
    assert large.plane.vehicle_scale == pytest.approx(1.15, abs=0.04)


def test_one_instant_of_few_objects_moves_it_little() -> None:
    rng = np.random.default_rng(0)
    wrong = samples_of(np.array([-0.8, 0, 0]), 2, rng)
    plane = RoadEstimator(0.0).update(wrong, 0.1)
    assert abs(plane.coefficients[0]) < 0.1


def test_wrong_detections_do_not_carry_it_away() -> None:
    rng = np.random.default_rng(1)
    clean, dirty = RoadEstimator(0.0), RoadEstimator(0.0)
    for _ in range(40):
        good = samples_of(np.zeros(3), 12, rng)
        bad = samples_of(np.array([2.0, 0, 0]), 3, rng)
        clean.update(good, 0.1)
        both = {name: np.concatenate([getattr(good, name), getattr(bad, name)]) for name in vars(good)}
        dirty.update(RoadSamples(**both), 0.1)
    assert abs(dirty.plane.coefficients[0] - clean.plane.coefficients[0]) < 0.05
    np.testing.assert_allclose(dirty.plane.coefficients[1:], clean.plane.coefficients[1:], atol=0.01)


def test_what_was_learnt_fades_and_reset_forgets_it() -> None:
    road = RoadEstimator(0.0, RoadSettings(forget_s=5.0))
    rng = np.random.default_rng(2)
    for _ in range(30):
        road.update(samples_of(np.array([0.0, 0.03, 0.0]), 15, rng), 0.5)
    assert road.plane.coefficients[1] > 0.02
    none = samples_of(np.zeros(3), 0, rng)
    road.update(none, 60.0)
    assert abs(road.plane.coefficients[1]) < 0.005
    road.update(samples_of(np.array([0.0, 0.03, 0.0]), 15, rng), 0.5)
    road.reset()
    np.testing.assert_array_equal(road.plane.coefficients, 0.0)


def test_the_same_objects_again_and_again_are_not_new_knowledge() -> None:
    rng = np.random.default_rng(3)
    seen = samples_of(np.array([-0.2, 0, 0]), 6, rng)
    often, once = RoadEstimator(0.0), RoadEstimator(0.0)
    once.update(seen, 0.1)
    for _ in range(10):
        often.update(seen, 0.02)
    np.testing.assert_allclose(often.plane.coefficients[0], once.plane.coefficients[0], atol=0.02)


@pytest.mark.parametrize("field", ["height_std_m", "unevenness_deg", "forget_s", "flat_share", "flat_slope_std_deg"])
def test_settings_must_be_positive(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        RoadSettings.model_validate({field: 0.0})
