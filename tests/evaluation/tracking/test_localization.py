"""Localization errors, and which true object a track is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.ground_runs import SyntheticDrive, line

from perception.evaluation.core.ground_truth import GroundScope, tracked_objects
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.evaluation.tracking.gt_track_matching import match_gt_tracks
from perception.evaluation.tracking.localization import LocalizationReport, evaluate_localization

SCOPE = GroundScope()
STANDING = (0.0, 0.0)
POSITIONS = {1: (10.0, 0.0), 2: (0.0, 30.0), 3: (-50.0, 0.0)}


def positions(evaluated: EvaluatedRun, scope: GroundScope = SCOPE) -> LocalizationReport:
    assert evaluated.run.objects is not None
    sighted = match_gt_tracks(
        truth=evaluated.truth, tracks=evaluated.run.tracks, timeline=evaluated.timeline, scope=scope
    )
    tracks = tracked_objects(objects=evaluated.run.objects, timeline=evaluated.timeline, scope=scope)
    return evaluate_localization(matches=sighted, truth=evaluated.ground_truth(scope), tracks=tracks)


def test_errors_by_hand() -> None:
    """Tracks lie a tenth of the distance too far, and half a metre to the left as seen from the car."""
    drive = SyntheticDrive({identity: line(STANDING, position) for identity, position in POSITIONS.items()}, instants=5)

    def error_m(offsets: np.ndarray) -> np.ndarray:
        away = np.linalg.norm(offsets, axis=1, keepdims=True)
        return 0.1 * offsets + 0.5 * np.stack([-offsets[:, 1], offsets[:, 0]], axis=1) / away

    report = positions(drive.evaluated(drive.scenes(error_m=error_m)))
    for errors, distance in zip(report.bins, (10.0, 30.0, 50.0), strict=True):
        assert (errors.count, errors.object_count, errors.truth_count) == (5, 1, 5)
        expected = np.hypot(0.1 * distance, 0.5)
        assert errors.median_m == errors.p90_m == pytest.approx(expected)
        assert errors.median_share == pytest.approx(expected / distance)
        assert (errors.along_m, errors.along_bias_m) == pytest.approx((0.1 * distance,) * 2)
        assert (errors.across_m, errors.across_bias_m) == pytest.approx((0.5, 0.5))
    assert (report.near.count, report.near.object_count) == (10, 2)
    assert report.near.median_m == pytest.approx((np.hypot(1, 0.5) + np.hypot(3, 0.5)) / 2)


def test_a_large_error_does_not_hide_itself() -> None:
    """Ten metres off is no match by distance, but the boxes say which object it is."""
    drive = SyntheticDrive({1: line(STANDING, (30.0, 0.0))}, instants=5)
    errors = positions(drive.evaluated(drive.scenes(error_m=lambda offsets: offsets / 3))).near
    assert (errors.count, errors.median_m) == (5, pytest.approx(10.0))


def test_the_motion_of_the_car_does_not_matter() -> None:
    paths = {1: line((0.0, 3.0), (30.0, 0.0)), 2: line((8.0, 0.0), (20.0, -4.0))}
    moving = SyntheticDrive(paths, instants=20, car=line((8.0, 0.0), STANDING))

    def error_m(offsets: np.ndarray) -> np.ndarray:
        return 0.05 * offsets

    errors = positions(moving.evaluated(moving.scenes(error_m=error_m))).near
    assert (errors.median_share, errors.p90_share) == pytest.approx((0.05, 0.05))
    assert errors.across_m == pytest.approx(0.0, abs=1e-9)


def test_hidden_objects_and_what_is_not_tracked_are_left_out() -> None:
    drive = SyntheticDrive({identity: line(STANDING, position) for identity, position in POSITIONS.items()}, instants=5)
    truth = drive.boxes(visible=lambda instant, identity, camera: float(identity != 2))
    report = positions(drive.evaluated(drive.scenes(), truth=truth))
    assert [errors.count for errors in report.bins] == [5, 0, 5]
    assert [errors.truth_count for errors in report.bins] == [5, 0, 5]
    assert report.bins[1].median_m is None
    unfound = positions(drive.evaluated(drive.scenes(found=lambda instant, identity: instant < 2)))
    assert [(errors.count, errors.truth_count) for errors in unfound.bins] == [(2, 5)] * 3


def test_each_track_is_one_object_at_a_time_by_its_largest_box() -> None:
    """Both objects are called 7: the nearer one, whose box is larger, is the one that the track is compared with."""
    drive = SyntheticDrive({1: line(STANDING, (10.0, 0.0)), 2: line(STANDING, (-30.0, 0.0))}, instants=4)
    evaluated = drive.evaluated(drive.scenes(found=lambda instant, identity: identity == 1))
    boxes = drive.boxes()
    one = replace(evaluated, run=replace(evaluated.run, tracks=replace(boxes, ids=np.ones(len(boxes), np.int64))))
    report = positions(one)
    assert (report.near.count, report.near.object_count, report.near.median_m) == (4, 1, 0.0)
