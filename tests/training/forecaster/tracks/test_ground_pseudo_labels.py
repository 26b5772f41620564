"""Drives as pseudo-labels, in metres, and the filter that rejects doubtful tracks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.crossing_car import FPS, FRAMES, KnowingDetector, write_crossing
from support.ground_tracks import make_ground_tracks

from perception.errors import UsageError
from perception.forecasting.features.ground_motion import XY
from perception.forecasting.track_dataset import windows_at
from perception.training.forecaster.tracks.ground_pseudo_labels import (
    DetectedDrive,
    detect_drive,
    pseudo_label_drive,
    tracks_as_objects,
)
from perception.training.forecaster.tracks.ground_tracks import from_drive
from perception.training.forecaster.tracks.image_pseudo_labels import REJECTION_REASONS, TrackFilter
from perception.training.forecaster.tracks.track_recordings import track_drive


@pytest.fixture(scope="module")
def drive(tmp_path_factory) -> DetectedDrive:
    """Without the truth, which nobody needs here."""
    return detect_drive(write_crossing(tmp_path_factory.mktemp("w") / "drive", has_objects=False), KnowingDetector())


def _reasons(drive: DetectedDrive, **track_filter: float) -> set[str]:
    return {
        reason for reason, count in pseudo_label_drive(drive, TrackFilter(**track_filter)).rejected.items() if count
    }


def test_a_steady_track_teaches_where_it_went_in_metres(drive, tmp_path):
    own = pseudo_label_drive(drive, TrackFilter())
    assert own.tracks is not None
    assert (own.accepted, set(own.rejected)) == (1, set(REJECTION_REASONS))
    assert own.seconds == pytest.approx((FRAMES - 1) / FPS)
    (taught,) = track_drive(write_crossing(tmp_path / "drive"), KnowingDetector())
    ends = own.tracks.ends(4, 1)
    assert len(ends) > 3
    mine, true = (windows_at(tracks, ends, length=4) for tracks in (own.tracks, taught))
    known = mine.known & true.known
    assert known.float().mean() > 0.2
    np.testing.assert_allclose(mine.futures[known], true.futures[known], atol=1.5)  # the lifting's error
    moved = (mine.futures - mine.futures[:, :1])[known] - (true.futures - true.futures[:, :1])[known]
    assert np.abs(moved.numpy()).mean() < 0.3


def test_doubtful_tracks_are_dropped_for_a_reason(drive):
    assert _reasons(drive) == set()
    assert _reasons(drive, min_seen_s=30) == {"short"}
    assert _reasons(drive, min_score=0.99) == {"low_score"}
    assert _reasons(drive, max_jump_m=1e-6) == {"discontinuous"}
    seldom = [
        (now, seen if n % 3 == 0 else [part[:0] for part in seen], at)
        for n, (now, seen, at) in enumerate(drive.instants)
    ]
    half = replace(drive, instants=seldom)
    assert "low_coverage" in _reasons(half, min_seen_s=0.5)


def test_a_share_is_the_beginning_and_too_little_teaches_nothing(drive):
    part = pseudo_label_drive(drive, TrackFilter(min_seen_s=0.5), share=0.5)
    assert part.seconds == pytest.approx((FRAMES / 2 - 1) / FPS)
    nothing = pseudo_label_drive(drive, TrackFilter(), share=0.1)
    assert nothing.tracks is None and nothing.accepted == 0


@pytest.mark.parametrize(
    ("missing", "word"), [({"is_calibrated": False}, "calibrated"), ({"has_poses": False}, "pose")]
)
def test_what_a_drive_lacks_is_reported(tmp_path, missing, word):
    with pytest.raises(UsageError, match=word):
        detect_drive(write_crossing(tmp_path / "drive", **missing), KnowingDetector())


def test_a_track_teaches_its_own_future_however_near_another_one_is():
    """Of two cars side by side the first is hidden for a moment: it must not take the other one's place meanwhile."""
    observed = []
    for step in range(40):
        positions_m = np.array([[0.5 * step, 0.0], [0.5 * step, 1.2]])
        tracks = make_ground_tracks(positions_m, [1, 2], velocities_mps=np.array([[5.0, 0.0], [5.0, 0.0]]))
        hidden_s = 0.1 * (step - 14) if 14 < step < 18 else 0.0
        observed.append((step * 100_000_000, replace(tracks, unseen_s=np.array([hidden_s, 0.0])), np.eye(4)))
    tracks = from_drive(tracks_as_objects(observed), observed, same_ids=True)
    np.testing.assert_allclose(tracks.truth[tracks.truth_rows], tracks.observations[:, XY], atol=1e-4)
