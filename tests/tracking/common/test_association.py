"""Similarities with known answers, and the assignment against trying all."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from perception.tracking.common.association import assign, associate, duplicates, pairwise_cosine
from perception.tracking.common.kalman import MotionNoise
from perception.tracking.common.settings import TrackerSettings
from perception.tracking.common.track_state import Observations, TrackMemory
from perception.types import Detections

CAR, TRUCK, MOTORCYCLE, BICYCLE, PEDESTRIAN = 0, 1, 3, 4, 5


def observe(
    boxes_xyxy_px: list[list[float]],
    *,
    scores: float | list[float] = 0.9,
    labels: int | list[int] = CAR,
    features: NDArray[np.float32] | None = None,
    camera: str = "front",
) -> Observations:
    count = len(boxes_xyxy_px)
    found = Detections(
        boxes_xyxy_px=np.array(boxes_xyxy_px, float),
        scores=np.broadcast_to(np.array(scores, float), count).copy(),
        labels=np.broadcast_to(np.array(labels), count).copy(),
        features=np.zeros((count, 0), np.float32) if features is None else features,
        camera=camera,
        image_size_px=(1000, 1000),
    )
    return Observations.join([found], noise=MotionNoise(), feature_size=found.features.shape[1])


def born(observed: Observations) -> TrackMemory:
    return TrackMemory.born(observed, 0, MotionNoise())


def matched(
    tracks: TrackMemory, observed: Observations, settings: TrackerSettings | None = None
) -> set[tuple[int, int]]:
    matches = associate(tracks, observed, settings or TrackerSettings())
    return set(zip(matches.tracks.tolist(), matches.observations.tolist(), strict=True))


def test_cosine_of_known_features() -> None:
    cosine = pairwise_cosine(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]]))
    np.testing.assert_allclose(cosine, [[1.0, 0.0, -1.0], [0.0, 0.0, 0.0]])


def test_assignment_equals_trying_all() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        similarities = rng.uniform(0.01, 1, (4, 5))
        feasible = rng.random((4, 5)) < 0.6
        rows, columns = assign(similarities, feasible)
        assert feasible[rows, columns].all()
        allowed = np.where(feasible, similarities, 0)
        best = max(allowed[range(4), list(choice)].sum() for choice in permutations(range(5), 4))
        assert similarities[rows, columns].sum() == pytest.approx(best)


@pytest.mark.parametrize(
    ("label", "other", "fits"),
    [(CAR, TRUCK, True), (MOTORCYCLE, BICYCLE, True), (CAR, PEDESTRIAN, False), (BICYCLE, PEDESTRIAN, False)],
)
def test_only_labels_of_one_group_match(label: int, other: int, fits: bool) -> None:
    box = [[100.0, 100.0, 200.0, 200.0]]
    assert matched(born(observe(box, labels=label)), observe(box, labels=other)) == ({(0, 0)} if fits else set())


def test_cameras_do_not_match() -> None:
    box = [[100.0, 100.0, 200.0, 200.0]]
    assert matched(born(observe(box, camera="left")), observe(box, camera="right")) == set()


def test_strong_detections_choose_first() -> None:
    tracks = born(observe([[100, 100, 200, 200]]))
    observed = observe([[100, 100, 200, 200], [110, 100, 210, 200]], scores=[0.15, 0.9])
    assert matched(tracks, observed) == {(0, 1)}


def test_weak_detections_take_what_is_left_and_need_more_overlap() -> None:
    tracks = born(observe([[100, 100, 200, 200], [500, 500, 600, 600]]))
    near = observe([[100, 100, 200, 200], [505, 500, 605, 600]], scores=[0.9, 0.15])
    assert matched(tracks, near) == {(0, 0), (1, 1)}
    far = observe([[100, 100, 200, 200], [560, 500, 660, 600]], scores=[0.9, 0.15])  # an overlap of 0.25
    assert matched(tracks, far) == {(0, 0)}
    assert matched(tracks, far, TrackerSettings(weak_min_iou=0.2)) == {(0, 0), (1, 1)}


def test_the_gate_reaches_where_overlap_does_not() -> None:
    tracks = born(observe([[100, 100, 150, 150]]))
    tracks.covariances[:, 0, 0] = 0.05**2  # 50 px, as after a long time unseen
    moved = observe([[160, 100, 210, 150]])
    assert matched(tracks, moved) == {(0, 0)}
    assert matched(tracks, moved, TrackerSettings(gate=0.0)) == set()


def test_looks_decide_where_boxes_cannot() -> None:
    looks = np.eye(2, dtype=np.float32)
    tracks = born(observe([[100, 100, 200, 200], [110, 100, 210, 200]], features=looks))
    observed = observe([[110, 100, 210, 200], [100, 100, 200, 200]], features=looks)
    assert matched(tracks, observed) == {(0, 1), (1, 0)}
    assert matched(tracks, observed, TrackerSettings(appearance_weight=1.0)) == {(0, 0), (1, 1)}


def test_of_two_copies_the_one_seen_now_stays() -> None:
    tracks = born(observe([[100, 100, 200, 200], [101, 100, 201, 200], [400, 400, 500, 500]]))
    tracks.last_ns[:] = [0, 10, 10]
    np.testing.assert_array_equal(duplicates(tracks, 10, TrackerSettings()), [True, False, False])
    tracks.last_ns[:] = 10
    tracks.first_ns[:] = [5, 0, 0]
    np.testing.assert_array_equal(duplicates(tracks, 10, TrackerSettings()), [True, False, False])


def test_objects_that_pass_one_another_are_no_copies() -> None:
    tracks = born(observe([[100, 100, 200, 200], [101, 100, 201, 200]]))
    tracks.means[:, 4] = [0.2, -0.2]
    tracks.covariances[:, 4:, 4:] = 0.01**2 * np.eye(4)
    assert not duplicates(tracks, 10, TrackerSettings()).any()


def test_nothing_matches_nothing() -> None:
    box = observe([[100, 100, 200, 200]])
    assert matched(TrackMemory.empty(), box) == set()
    assert matched(born(box), box[:0]) == set()
