"""Ground truth as tracks."""

import numpy as np
import pytest

from perception.evaluation.core.timeline import Timeline
from perception.evaluation.runs.gt_tracks_image import gt_tracks
from perception.types import BoxTable, Tracks

SIZE_PX = (200, 100)


@pytest.fixture
def timeline() -> Timeline:
    """Ten instants, 0.1 s apart."""
    return Timeline(np.arange(10) * 100_000_000, {"front": np.arange(10)}, {"front": SIZE_PX})


def moving_truth() -> BoxTable:
    """Object 4 moves 2 px right and 1 px down a frame in frames 0 to 9; object 9 stands from frame 5 on."""
    frames = np.r_[np.arange(10), np.arange(5, 10)]
    ids = np.r_[np.full(10, 4), np.full(5, 9)]
    left = np.where(ids == 4, 20.0 + 2 * frames, 100.0)
    top = np.where(ids == 4, 30.0 + frames, 50.0)
    return BoxTable(
        frame_indices=frames,
        ids=ids,
        labels=np.zeros(15, np.int64),
        scores=np.ones(15),
        boxes_xyxy_px=np.stack([left, top, left + 10, top + 20], axis=1),
        cameras=np.full(15, "front"),
    )


def tracks_at(timeline: Timeline, instants: list[int]) -> list[Tracks]:
    found = list(gt_tracks(truth=moving_truth(), timeline=timeline, instants=instants))
    assert [instant for instant, _ in found] == instants
    return [tracks for _, tracks in found]


def test_state_and_rates_by_hand(timeline: Timeline) -> None:
    tracks = tracks_at(timeline, list(range(10)))
    assert [found.ids.tolist() for found in tracks] == [[4]] * 5 + [[4, 9]] * 5
    np.testing.assert_allclose(tracks[0].means[0], [25 / 200, 40 / 100, 10 / 200, 20 / 100, 0, 0, 0, 0])
    np.testing.assert_allclose(tracks[6].means[0], [37 / 200, 46 / 100, 0.05, 0.2, 0.1, 0.1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(tracks[6].means[1, 4:], 0)
    np.testing.assert_allclose(tracks[6].ages_s, [0.6, 0.1])
    assert (tracks[6].unseen_s == 0).all()


def test_only_the_given_instants_are_looked_at(timeline: Timeline) -> None:
    _, second = tracks_at(timeline, [2, 6])
    np.testing.assert_allclose(second.means[0, 4:6], [0.1, 0.1])
    np.testing.assert_allclose(second.ages_s, [0.4, 0.0])
    np.testing.assert_allclose(second.means[1, 4:], 0)


def test_covariances_are_those_of_a_difference_of_boxes(timeline: Timeline) -> None:
    covariance = tracks_at(timeline, list(range(10)))[3].covariances[0]
    rng = np.random.default_rng(0)
    before, now = rng.normal(0, 1 / 200, (2, 400_000))
    expected = np.cov(now, (now - before) / 0.1)
    np.testing.assert_allclose(covariance[np.ix_([0, 4], [0, 4])], expected, rtol=0.02)
    assert (np.linalg.eigvalsh(covariance) > 0).all()


def test_no_objects_and_no_instants(timeline: Timeline) -> None:
    empty = moving_truth()[np.zeros(15, bool)]
    assert [len(tracks) for _, tracks in gt_tracks(truth=empty, timeline=timeline, instants=[0, 1])] == [0, 0]
    assert list(gt_tracks(truth=moving_truth(), timeline=timeline, instants=[])) == []
