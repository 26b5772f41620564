from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from perception.geometry.cameras import Rig
from perception.profiling import CameraRing, SyntheticTracks
from perception.sources import read_rig
from perception.tracking import GroundTracker
from perception.types import Frame, FrameSet


@pytest.fixture(scope="module")
def rig() -> Rig:
    rig = read_rig("surround-six")
    return Rig({name: camera.resized((640, 360)) for name, camera in rig.cameras.items()}, rig.road_height_m)


def recorded(rig: Rig) -> list[FrameSet]:
    image = np.zeros((360, 640, 3), np.uint8)
    return [
        FrameSet(tuple(Frame(image + row, name, t, t) for row, name in enumerate(rig.cameras)), t * 100_000_000, t)
        for t in range(3)
    ]


@pytest.mark.parametrize("count", [1, 4, 6, 12, 13])
def test_a_ring_has_as_many_cameras_as_asked(rig: Rig, count: int) -> None:
    ring = CameraRing(rig, count)
    assert len(ring.rig) == count
    assert [frame.camera for frame in next(ring.frame_sets(recorded(rig)))] == list(ring.rig.cameras)


def test_cameras_beyond_the_rigs_own_look_between_them(rig: Rig) -> None:
    cameras = CameraRing(rig, 7).rig.cameras
    first, again = (cameras[name].vehicle_from_camera[:2, 2] for name in list(cameras)[::6])
    assert np.degrees(np.arccos(first @ again)) == pytest.approx(30.0)


def test_time_goes_on_when_the_recording_begins_again(rig: Rig) -> None:
    sets = list(islice(CameraRing(rig, 2).frame_sets(recorded(rig)), 8))
    assert [frame_set.timestamp_ns // 100_000_000 for frame_set in sets] == list(range(8))


@pytest.mark.parametrize("count", [10, 80])
def test_synthetic_objects_are_all_followed_by_the_tracker(rig: Rig, count: int) -> None:
    synthetic = SyntheticTracks(rig, count, feature_size=4, feature_space="test")
    tracker = GroundTracker(rig)
    for timestamp_ns, found in islice(synthetic.instants(), 12):
        tracks = tracker.update(found, timestamp_ns, np.eye(4))
    assert {detections.camera for detections in found} == set(rig.cameras)
    assert 0.8 * count <= len(tracks) <= 1.2 * count


def test_the_same_seed_gives_the_same_detections(rig: Rig) -> None:
    first, second = (SyntheticTracks(rig, 5, feature_size=4, feature_space="test", seed=3).instants() for _ in range(2))
    for (_, one), (_, other) in islice(zip(first, second, strict=True), 3):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a.boxes_xyxy_px, b.boxes_xyxy_px)
