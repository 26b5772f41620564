"""One identity from camera to camera."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.evaluation.tracking.cross_camera_identity import (
    CrossCameraIdentityReport,
    evaluate_cross_camera_identity,
)
from perception.evaluation.tracking.gt_track_matching import GtTrackMatches

TIMES_NS = 500_000_000 * np.arange(40, dtype=np.int64)
Row = tuple[int, int, str, int]


def handover(rows: list[Row]) -> CrossCameraIdentityReport:
    """Rows of instant (two per second), object, camera, track (-1: none)."""
    return evaluate_cross_camera_identity(matches=sighted(rows), timestamps_ns=TIMES_NS)


def sighted(rows: list[Row]) -> GtTrackMatches:
    return GtTrackMatches(
        instants=np.array([row[0] for row in rows], np.int64),
        object_ids=np.array([row[1] for row in rows], np.int64),
        cameras=np.array([row[2] for row in rows], dtype="U5"),
        track_ids=np.array([row[3] for row in rows], np.int64),
        heights_px=np.ones(len(rows)),
    )


def stay(first: int, last: int, camera: str, track: int, identity: int = 1) -> list[Row]:
    return [(instant, identity, camera, track) for instant in range(first, last + 1)]


def counts(report: CrossCameraIdentityReport) -> tuple[int, ...]:
    return (
        report.handover_count,
        report.tracked_count,
        report.kept_count,
        report.changed_count,
        report.lost_count,
    )


def test_from_one_camera_to_the_next() -> None:
    assert counts(handover(stay(0, 5, "a", 7) + stay(6, 9, "b", 7))) == (1, 1, 1, 0, 0)
    assert counts(handover(stay(0, 5, "a", 7) + stay(6, 9, "b", 8))) == (1, 1, 0, 1, 0)
    assert counts(handover(stay(0, 5, "a", 7) + stay(6, 9, "b", -1))) == (1, 1, 0, 0, 1)
    assert counts(handover(stay(0, 5, "a", -1) + stay(6, 9, "b", 8))) == (1, 0, 0, 0, 0)
    assert handover(stay(0, 5, "a", -1) + stay(6, 9, "b", 8)).kept_share is None


def test_a_gap_of_two_seconds_is_a_handover_and_a_longer_one_is_not() -> None:
    assert counts(handover(stay(0, 5, "a", 7) + stay(9, 12, "b", 7))) == (1, 1, 1, 0, 0)
    assert counts(handover(stay(0, 5, "a", 7) + stay(10, 12, "b", 7))) == (0, 0, 0, 0, 0)
    # Found again too late: the object came back in time, its track did not.
    late = stay(0, 5, "a", 7) + stay(9, 9, "b", -1) + stay(10, 12, "b", 7)
    assert counts(handover(late)) == (1, 1, 0, 0, 1)


def test_flicker_and_the_end_are_no_handovers() -> None:
    blinking = stay(0, 2, "a", 7) + stay(4, 6, "a", 7) + stay(0, 6, "b", 7)
    assert handover(blinking).handover_count == 0
    assert handover(stay(0, 9, "a", 7)).handover_count == 0
    assert handover(stay(0, 3, "a", 7) + stay(5, 9, "a", 8)).handover_count == 0
    assert handover(stay(0, 3, "a", 7) + stay(7, 9, "a", 8)).handover_count == 0


def test_overlapping_views() -> None:
    both = stay(0, 9, "a", 7) + stay(5, 20, "b", 7)
    report = handover(both)
    assert counts(report) == (1, 1, 1, 0, 0)
    assert (report.shared_count, report.one_identity_count, report.one_identity_share) == (5, 5, 1.0)
    two = handover(stay(0, 9, "a", 7) + stay(5, 20, "b", 8))
    assert (two.shared_count, two.one_identity_count) == (5, 0)
    assert counts(two) == (1, 1, 0, 1, 0)
    half = handover(stay(0, 9, "a", 7) + stay(5, 9, "b", -1) + stay(10, 12, "b", 7))
    assert (half.shared_count, half.one_identity_share) == (0, None)


def test_the_last_identity_before_and_the_first_after_decide() -> None:
    renamed = stay(0, 2, "a", 7) + stay(3, 5, "a", 9) + stay(6, 7, "b", 9) + stay(8, 9, "b", 3)
    assert counts(handover(renamed)) == (1, 1, 1, 0, 0)


def test_all_the_way_around() -> None:
    rows = stay(0, 4, "a", 7) + stay(5, 9, "b", 7) + stay(10, 14, "c", 7) + stay(15, 19, "a", 7)
    assert counts(handover(rows)) == (3, 3, 3, 0, 0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_order_and_names_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [
        (instant, identity, camera, int(rng.integers(-1, 3)))
        for instant in range(20)
        for identity in range(3)
        for camera in "abc"
        if rng.uniform() < 0.3
    ]
    shuffled = [rows[place] for place in rng.permutation(len(rows))]
    names = {0: 50, 1: 20, 2: 90}
    renamed = [(instant, names[identity], camera, track) for instant, identity, camera, track in shuffled]
    # Which of two cameras speaks first at one instant is open: they must agree.
    agreeing = [(instant, identity, camera, identity) for instant, identity, camera, _ in renamed]
    original = [(instant, identity, camera, names[identity]) for instant, identity, camera, _ in rows]
    assert handover(agreeing) == handover(original)
    assert handover(agreeing).kept_share in (None, 1.0)


def test_nothing_sighted() -> None:
    assert counts(handover([])) == (0, 0, 0, 0, 0)
