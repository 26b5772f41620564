"""Simulated traffic in the images of moving cameras: futures of a camera that points on as it does."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from perception.forecasting.features.image_motion import BOX, IS_KNOWN, STD, TURNED
from perception.forecasting.track_dataset import windows_at
from perception.geometry.cameras import Camera
from perception.simulation.world import RoadUsers
from perception.training.forecaster.tracks.simulated_detections import boxes_of
from perception.training.forecaster.tracks.simulated_views import ViewedDrive, random_rig, track_views
from perception.types import Detections

FRONT = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]])
CAMERA = Camera("front", (640, 360), np.array([[500.0, 0, 320], [0, 500, 180], [0, 0, 1]]), FRONT)
TIMES_S = np.arange(40) / 10


class Steady:
    """Draws that leave nothing unknown and add no error."""

    def random(self) -> float:
        return 1.0

    def uniform(self, *_: float) -> float:
        return 0.0

    def normal(self, mean: float, std: float, size: int | None = None) -> np.ndarray | float:
        return mean if size is None else np.full(size, mean)


def _turning_drive() -> ViewedDrive:
    """The car stands and turns left by 10 degrees a second; one car stands 60 m ahead of where it first points."""
    poses = np.tile(np.eye(4), (len(TIMES_S), 1, 1))
    poses[:, :3, :3] = Rotation.from_euler("z", 10 * TIMES_S[:, None], degrees=True).as_matrix()
    users = RoadUsers(
        ids=np.array([5]),
        labels=np.zeros(1, int),
        bodies=np.zeros(1, int),
        appearance_seeds=np.zeros(1, np.uint32),
        positions_m=np.array([[60.0, 5.0, 0.0]]),
        yaws_rad=np.zeros(1),
        sizes_lwh_m=np.array([[4.0, 2.0, 1.5]]),
        speeds_mps=np.zeros(1),
        is_braking=np.zeros(1, bool),
        indicators=np.zeros(1, int),
        travelled_m=np.zeros(1),
    )
    true, found = [], []
    for pose in poses:
        ((boxes, _),) = boxes_of(users, np.linalg.inv(pose), [CAMERA])
        true.append((users, boxes))
        is_seen = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        found.append(
            Detections(
                boxes_xyxy_px=boxes[is_seen],
                scores=np.full(int(is_seen.sum()), 0.9),
                labels=np.zeros(int(is_seen.sum()), int),
                features=np.zeros((int(is_seen.sum()), 0), np.float32),
                camera="front",
                image_size_px=(640, 360),
            )
        )
    return ViewedDrive(CAMERA, TIMES_S, poses, found, true, Steady())


def test_a_standing_car_stays_in_the_future_of_a_camera_that_turns():
    tracks = _turning_drive().tracked(1)
    ends = tracks.ends(4, 1)
    windows = windows_at(tracks, ends, length=4)
    assert windows.known.any()
    away = (windows.futures[..., :2] - windows.observations[:, -1:, :2])[windows.known]
    raw = tracks.truth[:, 0].max() - tracks.truth[:, 0].min()
    assert raw > 0.3  # in the image it goes from the middle to the border
    assert away.abs().max() < 0.03
    # What is observed says the same: all that moved was the camera.
    last = windows.observations[:, -1]
    assert (last[:, IS_KNOWN] == np.array([1, 0, 1])).all()
    assert (last[:, TURNED.start] > 0.01).all()


def test_a_perfect_tracker_sees_the_true_boxes():
    tracks = _turning_drive().gt_tracks()
    windows = windows_at(tracks, tracks.ends(4, 1), length=4)
    rows = tracks.truth_rows[tracks.ends(4, 1)]
    np.testing.assert_allclose(windows.observations[:, -1, BOX], tracks.truth[rows], atol=1e-5)


@pytest.mark.skipif(find_spec("libsumo") is None, reason="SUMO is not installed")
def test_a_drive_is_seen_by_cameras_that_know_how_they_move_and_by_others():
    sets, exact = track_views(30003, duration_s=6.0, strides=(1, 2))
    assert 2 <= len(sets) <= 6
    assert 1 <= len(exact) <= 3
    assert all(np.isfinite(tracks.observations).all() for tracks in [*sets, *exact])
    assert all((tracks.observations[:, STD] == 0).all() for tracks in exact)
    assert sum(len(tracks.ends(3, 1)) for tracks in sets) > 50


def test_rigs_differ():
    first, second = (random_rig(np.random.default_rng(seed)) for seed in (0, 1))
    assert first.cameras["camera-0"].intrinsics[0, 0] != second.cameras["camera-0"].intrinsics[0, 0]
    assert len(first) == 3
