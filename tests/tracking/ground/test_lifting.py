"""From boxes to the road and back, on geometry that can be worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from perception.geometry.cameras import Camera
from perception.taxonomy import USUAL_SIZES_LWH_M
from perception.tracking.ground.lifting import LiftingNoise, Views, lift, road_samples
from perception.tracking.ground.road_plane import RoadEstimator, RoadPlane

Array = NDArray[np.float64]
CAR, PEDESTRIAN = 0, 5
NOISE = LiftingNoise()
KNOWN_ROAD = RoadPlane(np.zeros(3), np.zeros((3, 3)), 1e-3)
UNKNOWN_ROAD = RoadPlane(np.zeros(3), np.diag([100.0, 1.0, 1.0]), 1.0)


def level_camera() -> Camera:
    """Looks ahead from 1.5 m above the origin, focal length 500 px, 640x360."""
    pose = np.eye(4)
    pose[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    pose[2, 3] = 1.5
    intrinsics = np.array([[500.0, 0, 320], [0, 500, 180], [0, 0, 1]])
    return Camera("ahead", (640, 360), intrinsics, pose)


def one_view(camera: Camera, count: int = 1) -> Views:
    return Views.of([camera])[np.zeros(count, np.int64)]


def pedestrian_box(depth_m: float, left_m: float = 0.0, height_m: float = 1.72) -> Array:
    """The box of an upright board, 0.6 m wide, in the image of ``level_camera``."""
    x = 320 - 500 * left_m / depth_m
    foot = 180 + 500 * 1.5 / depth_m
    half_width = 500 * 0.3 / depth_m
    return np.array([[x - half_width, foot - 500 * height_m / depth_m, x + half_width, foot]])


@pytest.mark.parametrize("road", [KNOWN_ROAD, UNKNOWN_ROAD], ids=["by the foot", "by the size"])
@pytest.mark.parametrize("depth_m", [8.0, 20.0, 35.0])
def test_a_pedestrian_ahead_stands_where_both_sources_measure(depth_m: float, road: RoadPlane) -> None:
    lifted = lift(pedestrian_box(depth_m, left_m=1.0), np.array([PEDESTRIAN]), one_view(level_camera()), road, NOISE)
    # The board is the near edge; the centre lies half of 0.6 m behind it, on the same ray.
    centre_m = depth_m + 0.3
    np.testing.assert_allclose(lifted.measured[0, :2], [centre_m, centre_m / depth_m], rtol=2e-3)
    np.testing.assert_allclose(lifted.measured[0, 3], 1.72, rtol=2e-3)


@pytest.mark.parametrize("depth_m", [10.0, 30.0])
def test_a_foot_on_a_known_road_beats_an_unusual_height(depth_m: float) -> None:
    child = pedestrian_box(depth_m, height_m=1.2)
    lifted = lift(child, np.array([PEDESTRIAN]), one_view(level_camera()), KNOWN_ROAD, NOISE)
    by_size = lift(child, np.array([PEDESTRIAN]), one_view(level_camera()), UNKNOWN_ROAD, NOISE)
    assert abs(lifted.measured[0, 0] - depth_m - 0.3) < 0.2 * abs(by_size.measured[0, 0] - depth_m - 0.3)


def test_a_car_from_behind_is_deep_and_from_the_side_is_not() -> None:
    length_m, width_m, height_m = USUAL_SIZES_LWH_M[CAR]
    near_m, camera = 20.0, level_camera()
    boxes = np.array(
        [
            [320 - 500 * shown_m / 2 / near_m, 217.5 - 500 * height_m / near_m, 320 + 500 * shown_m / 2 / near_m, 217.5]
            for shown_m in (width_m, length_m)
        ]
    )
    lifted = lift(boxes, np.array([CAR, CAR]), one_view(camera, 2), KNOWN_ROAD, NOISE)
    np.testing.assert_allclose(lifted.measured[0, 0], near_m + length_m / 2, atol=0.25)
    # Seen so wide it may as well stand slantwise, which is deeper: the middle between both.
    assert near_m + width_m / 2 < lifted.measured[1, 0] < near_m + length_m / 2 - 0.5


def test_uncertainty_grows_with_distance_and_lies_along_the_ray() -> None:
    boxes = np.concatenate([pedestrian_box(depth_m) for depth_m in (5.0, 10.0, 20.0, 40.0)])
    road = RoadEstimator(0.0).plane
    lifted = lift(boxes, np.full(4, PEDESTRIAN), one_view(level_camera(), 4), road, NOISE)
    along, across = lifted.covariances[:, 0, 0], lifted.covariances[:, 1, 1]
    assert (np.diff(np.sqrt(along) / np.array([5, 10, 20, 40])) >= 0).all()
    assert (np.diff(along) > 0).all()
    assert (along[1:] > 10 * across[1:]).all()


def test_a_box_is_only_as_sure_as_its_border_lets_it() -> None:
    whole = pedestrian_box(6.0)
    cut_foot, cut_side = whole.copy(), whole + np.array([300.0, 0, 300, 0])
    cut_foot[0, 3] = 360
    cut_side[0, 2] = 640
    labels, view = np.array([PEDESTRIAN]), one_view(level_camera())
    sure, footless, half = (lift(box, labels, view, KNOWN_ROAD, NOISE) for box in (whole, cut_foot, cut_side))
    assert footless.covariances[0, 0, 0] > 10 * sure.covariances[0, 0, 0]
    assert half.covariances[0, 1, 1] > 4 * sure.covariances[0, 1, 1]
    # What is cut at the right has its centre further to the right, and is wider than it shows.
    middle_px = cut_side[0, [0, 2]].mean()
    assert half.measured[0, 1] / half.measured[0, 0] < (320 - middle_px) / 500
    assert half.covariances[0, 2, 2] > sure.covariances[0, 2, 2]


def test_a_ray_above_the_horizon_leaves_the_distance_to_the_size() -> None:
    box = pedestrian_box(10.0) - np.array([0, 120, 0, 120])
    lifted = lift(box, np.array([PEDESTRIAN]), one_view(level_camera()), KNOWN_ROAD, NOISE)
    np.testing.assert_allclose(lifted.measured[0, 0], 10.3, rtol=0.02)
    assert np.isfinite(lifted.covariances).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_covariances_are_positive_for_any_boxes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.uniform(0, 360, (20, 2, 2)), axis=1)
    boxes = np.concatenate([corners[:, 0], corners[:, 1]], axis=1)
    lifted = lift(
        boxes, rng.integers(0, 6, 20), one_view(level_camera(), 20), RoadEstimator(float(rng.normal())).plane, NOISE
    )
    assert np.isfinite(lifted.measured).all()
    for covariances in (lifted.covariances, lifted.jitters):
        assert (np.linalg.eigvalsh(covariances) > 0).all()
    extra = np.linalg.eigvalsh(lifted.covariances - lifted.jitters)
    assert (extra >= -1e-6 * np.abs(lifted.covariances).max(axis=(1, 2))[:, None]).all()


REAL_CLASSES = {
    **{"car": 0, "truck": 1, "bus": 2, "motorcycle": 3, "bicycle": 4, "pedestrian": 5},
    **{"Car": 0, "Truck": 1, "Bus/RV/Caravan": 2, "Person": 5},
}


def position_errors(folder: Path, road_height_m: float, *, max_distance_m: float = 40.0) -> Array:
    """Errors over distance of all whole boxes of a ``frames.json``, the road being estimated from them."""
    errors, road = [], RoadEstimator(road_height_m)
    for frame in json.loads((folder / "frames.json").read_text())["frames"]:
        boxes, labels, centres, rows, cameras = [], [], [], [], []
        for name, entry in frame["cameras"].items():
            left, _, right = np.linalg.svd(np.array(entry["vehicle_from_camera"])[:3, :3])
            pose = np.array(entry["vehicle_from_camera"])
            pose[:3, :3] = left @ right
            cameras.append(Camera(name, (entry["width"], entry["height"]), np.array(entry["intrinsics"]), pose))
            known = [thing for thing in entry["objects"] if thing["class"] in REAL_CLASSES]
            boxes += [thing["box_xyxy"] for thing in known]
            labels += [REAL_CLASSES[thing["class"]] for thing in known]
            centres += [thing["center_in_vehicle_m"][:2] for thing in known]
            rows += [len(cameras) - 1] * len(known)
        views, corners, at = Views.of(cameras)[np.array(rows)], np.array(boxes), np.array(centres)
        plane = road.update(road_samples(corners, np.array(labels), views, NOISE), 0.1)
        lifted = lift(corners, np.array(labels), views, plane, NOISE)
        distances = np.linalg.norm(at, axis=1)
        is_whole = (corners[:, :2] > 2).all(axis=1) & (corners[:, 2:] < views.sizes_px - 2).all(axis=1)
        strayed = np.linalg.norm(lifted.measured[:, :2] - at, axis=1) / distances
        errors.append(strayed[is_whole & (distances < max_distance_m)])
    return np.concatenate(errors)


@pytest.mark.shared
def test_real_boxes_are_lifted_to_the_true_centres(shared_dir: Path) -> None:
    surround = shared_dir / "real" / "surround"
    assert np.median(position_errors(surround / "nuscenes_frame", 0.0)) <= 0.04
    ddad = [position_errors(surround / name, -0.3) for name in ("ddad_01", "ddad_02")]
    assert np.median(np.concatenate(ddad)) <= 0.08
