"""Where tracks have been."""

import numpy as np
import pytest

from perception.outputs import TrackHistory

SECOND_NS = 10**9


def test_foot_points_and_ages_come_oldest_first(scene_of, tracks_of):
    history = TrackHistory(span_s=2.0)
    for step in range(3):
        box = [10 * step, 20, 10 * step + 30, 60 + step]
        history.update(scene_of(tracks_of([box], [5]), timestamp_ns=step * SECOND_NS // 2))
    points, ages_s = history.path(5, "front")
    np.testing.assert_allclose(points, [[15, 60], [25, 61], [35, 62]])
    np.testing.assert_allclose(ages_s, [1.0, 0.5, 0.0])


def test_what_is_older_than_the_span_is_forgotten(scene_of, tracks_of):
    history = TrackHistory(span_s=1.0)
    for step in range(50):
        history.update(scene_of(tracks_of([[0, 0, 9, 9]], [1]), timestamp_ns=step * SECOND_NS // 10))
    _, ages_s = history.path(1, "front")
    assert len(ages_s) == 11
    assert ages_s.max() == pytest.approx(1.0)


def test_a_fast_stream_is_thinned_but_keeps_its_span(scene_of, tracks_of):
    history = TrackHistory(span_s=1.0, max_points=20)
    for step in range(3000):
        history.update(scene_of(tracks_of([[0, 0, 9, 9]], [1]), timestamp_ns=step * SECOND_NS // 1000))
    points, ages_s = history.path(1, "front")
    assert len(points) <= 20
    assert ages_s.max() > 0.9


def test_tracks_that_are_gone_and_unknown_tracks_have_no_past(scene_of, tracks_of):
    history = TrackHistory()
    history.update(scene_of(tracks_of([[0, 0, 9, 9], [5, 5, 20, 20]], [1, 2])))
    history.update(scene_of(tracks_of([[0, 0, 9, 9]], [1]), timestamp_ns=SECOND_NS))
    assert len(history) == 1
    assert history.path(2, "front")[0].shape == (0, 2)
    assert history.path(1, "rear")[0].shape == (0, 2)


def test_time_that_runs_backwards_starts_afresh(scene_of, tracks_of):
    history = TrackHistory()
    history.update(scene_of(tracks_of([[0, 0, 9, 9]], [1]), timestamp_ns=5 * SECOND_NS))
    history.update(scene_of(tracks_of([[0, 0, 9, 9]], [1]), timestamp_ns=SECOND_NS))
    assert len(history.path(1, "front")[0]) == 1
    assert history.first_timestamp_ns == SECOND_NS


def test_a_span_of_zero_is_rejected():
    with pytest.raises(ValueError, match="span_s"):
        TrackHistory(span_s=0)
