"""Who matches whom in an image, and which tracks are copies, by known cases."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from perception.tracking.common.track_state import TrackState
from perception.tracking.image.association import associate, duplicates
from perception.tracking.image.box_filter import MotionNoise
from perception.tracking.image.observations import ImageObservations, spawn_tracks
from perception.tracking.image.settings import TrackerSettings
from perception.types import Detections

CAR, TRUCK, MOTORCYCLE, BICYCLE, PEDESTRIAN = 0, 1, 3, 4, 5


def observe(
    boxes_xyxy_px: list[list[float]],
    *,
    scores: float | list[float] = 0.9,
    labels: int | list[int] = CAR,
    features: NDArray[np.float32] | None = None,
    camera: str = "front",
) -> ImageObservations:
    count = len(boxes_xyxy_px)
    found = Detections(
        boxes_xyxy_px=np.array(boxes_xyxy_px, float),
        scores=np.broadcast_to(np.array(scores, float), count).copy(),
        labels=np.broadcast_to(np.array(labels), count).copy(),
        features=np.zeros((count, 0), np.float32) if features is None else features,
        camera=camera,
        image_size_px=(1000, 1000),
    )
    return ImageObservations.join([found], noise=MotionNoise(), feature_size=found.features.shape[1])


def spawned(observed: ImageObservations) -> TrackState:
    return spawn_tracks(observed, 0, MotionNoise())


def matched(
    tracks: TrackState, observed: ImageObservations, settings: TrackerSettings | None = None
) -> set[tuple[int, int]]:
    matches = associate(tracks, observed, settings or TrackerSettings())
    return set(zip(matches.tracks.tolist(), matches.observations.tolist(), strict=True))


@pytest.mark.parametrize(
    ("label", "other", "fits"),
    [(CAR, TRUCK, True), (MOTORCYCLE, BICYCLE, True), (CAR, PEDESTRIAN, False), (BICYCLE, PEDESTRIAN, False)],
)
def test_only_labels_of_one_group_match(label: int, other: int, fits: bool) -> None:
    box = [[100.0, 100.0, 200.0, 200.0]]
    assert matched(spawned(observe(box, labels=label)), observe(box, labels=other)) == ({(0, 0)} if fits else set())


def test_cameras_do_not_match() -> None:
    box = [[100.0, 100.0, 200.0, 200.0]]
    assert matched(spawned(observe(box, camera="left")), observe(box, camera="right")) == set()


def test_strong_detections_choose_first() -> None:
    tracks = spawned(observe([[100, 100, 200, 200]]))
    observed = observe([[100, 100, 200, 200], [110, 100, 210, 200]], scores=[0.15, 0.9])
    assert matched(tracks, observed) == {(0, 1)}


def test_weak_detections_take_what_is_left_and_need_more_overlap() -> None:
    tracks = spawned(observe([[100, 100, 200, 200], [500, 500, 600, 600]]))
    near = observe([[100, 100, 200, 200], [505, 500, 605, 600]], scores=[0.9, 0.15])
    assert matched(tracks, near) == {(0, 0), (1, 1)}
    far = observe([[100, 100, 200, 200], [560, 500, 660, 600]], scores=[0.9, 0.15])  # an overlap of 0.25
    assert matched(tracks, far) == {(0, 0)}
    assert matched(tracks, far, TrackerSettings(weak_min_iou=0.2)) == {(0, 0), (1, 1)}


def test_the_gate_reaches_where_overlap_does_not() -> None:
    tracks = spawned(observe([[100, 100, 150, 150]]))
    tracks.covariances[:, 0, 0] = 0.05**2  # 50 px, as after a long time unseen
    moved = observe([[160, 100, 210, 150]])
    assert matched(tracks, moved) == {(0, 0)}
    assert matched(tracks, moved, TrackerSettings(gate=0.0)) == set()


def test_looks_decide_where_boxes_cannot() -> None:
    looks = np.eye(2, dtype=np.float32)
    tracks = spawned(observe([[100, 100, 200, 200], [110, 100, 210, 200]], features=looks))
    observed = observe([[110, 100, 210, 200], [100, 100, 200, 200]], features=looks)
    assert matched(tracks, observed) == {(0, 1), (1, 0)}
    assert matched(tracks, observed, TrackerSettings(appearance_weight=1.0)) == {(0, 0), (1, 1)}


def test_of_two_copies_the_one_seen_now_stays() -> None:
    tracks = spawned(observe([[100, 100, 200, 200], [101, 100, 201, 200], [400, 400, 500, 500]]))
    tracks.last_ns[:] = [0, 10, 10]
    np.testing.assert_array_equal(duplicates(tracks, 10, TrackerSettings()), [True, False, False])
    tracks.last_ns[:] = 10
    tracks.first_ns[:] = [5, 0, 0]
    np.testing.assert_array_equal(duplicates(tracks, 10, TrackerSettings()), [True, False, False])


def test_objects_that_pass_one_another_are_no_copies() -> None:
    tracks = spawned(observe([[100, 100, 200, 200], [101, 100, 201, 200]]))
    tracks.means[:, 4] = [0.2, -0.2]
    tracks.covariances[:, 4:, 4:] = 0.01**2 * np.eye(4)
    assert not duplicates(tracks, 10, TrackerSettings()).any()


def test_nothing_matches_nothing() -> None:
    box = observe([[100, 100, 200, 200]])
    assert matched(TrackState.empty(), box) == set()
    assert matched(spawned(box), box[:0]) == set()
