"""ADE, FDE and calibration in the image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.evaluation_tables import read_motchallenge, table
from support.forecast_runs import (
    DT_S,
    FRAME_NS,
    STEPS,
    WIDTH_PX,
    go_on,
    records_of,
    stay,
    straight,
    timestamps_ns,
    truth_of,
)

from perception.errors import UsageError
from perception.evaluation.core.gt_interpolation import (
    GtPaths,
    kalman_velocity_paths,
    last_difference_paths,
    recent_rows,
)
from perception.evaluation.core.records import ForecastingReport, InstantForecasts
from perception.evaluation.core.run_tables import join_tables
from perception.evaluation.forecasting.image import evaluate_forecasts
from perception.types import BoxTable, EgoMotion, Forecasts, Tracks

FRAMES = 40


def evaluate(records: list[InstantForecasts], truth: BoxTable, **options: object) -> ForecastingReport:
    settings = {"setting": "ground-truth tracks", "rng": np.random.default_rng(0), **options}
    return evaluate_forecasts(records=records, truth=truth, frame_timestamps_ns=timestamps_ns(FRAMES), **settings)


def test_constant_velocity_is_exact_on_a_straight_line_and_standing_still_is_off_by_the_way() -> None:
    truth = truth_of({1: straight((30.0, -10.0)), 2: straight((-20.0, 5.0), (700.0, 300.0))})
    report = evaluate(records_of(truth, stay), truth)
    speed = np.array([np.hypot(30, 10), np.hypot(20, 5)])
    for scores in report.horizons:
        assert scores.expected == scores.baselines["stays"]
        for name in ("CV last", "CV 0.25 s", "CV Kalman"):
            baseline = scores.baselines[name]
            assert (baseline.ade_px, baseline.fde_px) == pytest.approx((0.0, 0.0), abs=1e-5)
        assert scores.expected is not None
        assert scores.expected.fde_px == pytest.approx(speed.mean() * scores.horizon_s)
        steps = round(scores.horizon_s / DT_S)
        assert scores.expected.ade_px == pytest.approx(speed.mean() * DT_S * (steps + 1) / 2)
        assert scores.expected.fde_per_width == pytest.approx(scores.expected.fde_px / WIDTH_PX)


def test_counts_of_what_could_be_scored() -> None:
    truth = truth_of({1: straight((30.0, 0.0))})
    report = evaluate(records_of(truth, go_on), truth)
    assert (report.track_count, report.first_sight_count, report.candidate_count) == (40, 1, 39)
    # Frames 1 to 39 at 5 per second: the last 5, 10 and 15 do not see their future.
    assert [scores.target_count for scores in report.horizons] == [34, 29, 24]
    assert [scores.without_future_count for scores in report.horizons] == [5, 10, 15]
    assert [scores.object_count for scores in report.horizons] == [1, 1, 1]
    assert (report.truth_count, report.truth_matched_count) == (40, 40)


def test_unmatched_tracks_and_tracks_without_forecast_are_counted() -> None:
    truth = truth_of({1: straight((30.0, 0.0)), 2: straight((0.0, 5.0), (500.0, 100.0))})
    records = records_of(truth, go_on)
    shifted = [replace(record, boxes_xyxy_px=record.boxes_xyxy_px + np.array([0, 25, 0, 25])) for record in records]
    assert evaluate(shifted, truth, setting="tracked").unmatched_count == 80
    renamed = [
        replace(
            record,
            track_ids=record.track_ids + 50,
            forecasts=replace(record.forecasts, track_ids=record.track_ids + 50),
        )
        for record in records
    ]
    tracked = evaluate(renamed, truth, setting="tracked")
    assert (tracked.unmatched_count, tracked.candidate_count) == (0, 78)
    assert evaluate(renamed, truth, setting="ground-truth tracks").unmatched_count == 80
    young = [replace(record, forecasts=record.forecasts[record.forecasts.track_ids == 2]) for record in records]
    partly = evaluate(young, truth)
    assert (partly.without_forecast_count, partly.candidate_count) == (40, 39)


def test_forecasts_are_found_by_id_whatever_their_order() -> None:
    truth = truth_of({1: straight((30.0, 0.0)), 2: straight((0.0, 60.0), (500.0, 100.0)), 3: straight((-9.0, 1.0))})
    records = records_of(truth, go_on)
    turned = [replace(record, forecasts=record.forecasts[::-1]) for record in records]
    expected = evaluate(turned, truth).horizons[0].expected
    assert expected is not None
    assert expected.fde_px == pytest.approx(0.0, abs=1e-5)


def test_best_of_k_and_expected_of_a_mixture() -> None:
    truth = truth_of({1: straight((30.0, 0.0)), 2: straight((-20.0, 0.0), (800.0, 100.0))})
    records = records_of(truth, go_on, probabilities=(0.25, 0.75), offsets_px=(8.0, -4.0))
    scores = evaluate(records, truth).horizons[1]
    assert scores.expected is not None
    assert scores.best_of_k is not None
    assert scores.expected.fde_px == pytest.approx(abs(0.25 * 8 - 0.75 * 4))
    assert (scores.best_of_k.ade_px, scores.best_of_k.fde_px) == pytest.approx((4.0, 4.0))


def test_the_model_is_compared_with_the_best_baseline() -> None:
    rng = np.random.default_rng(3)
    truth = truth_of({identity: straight((10.0 * identity, 5.0), (50.0, 20.0 * identity)) for identity in range(1, 9)})
    noisy = replace(
        truth,
        boxes_xyxy_px=truth.boxes_xyxy_px + np.repeat(rng.normal(0, 2, (len(truth), 2)), 2, axis=0).reshape(-1, 4),
    )
    records = [
        replace(noise, state_means=clean.state_means, forecasts=clean.forecasts)
        for noise, clean in zip(records_of(noisy, go_on), records_of(truth, go_on), strict=True)
    ]
    scores = evaluate(records, truth, setting="tracked").horizons[2]
    assert (scores.ade_baseline, scores.fde_baseline) == ("CV Kalman", "CV Kalman")
    assert scores.expected is not None
    assert scores.fde_comparison is not None
    by_name = {name: errors.fde_px for name, errors in scores.baselines.items()}
    assert by_name["CV Kalman"] < by_name["CV 0.25 s"] < by_name["CV last"]
    assert scores.fde_comparison.ratio == pytest.approx(scores.expected.fde_px / by_name["CV Kalman"])
    without = [replace(record, state_means=None) for record in records]
    alone = evaluate(without, truth, setting="tracked").horizons[2]
    assert (alone.fde_baseline, list(alone.baselines)) == ("CV 0.25 s", ["CV last", "CV 0.25 s", "stays"])


def test_what_stands_is_best_left_where_it_is() -> None:
    """The truth stands, its boxes shake: any velocity is noise, and 'stays' is what must be beaten."""
    rng = np.random.default_rng(4)
    truth = truth_of({identity: straight((0.0, 0.0), (100.0 * identity, 40.0)) for identity in range(1, 9)})
    shaken = replace(truth, boxes_xyxy_px=truth.boxes_xyxy_px + np.tile(rng.normal(0, 2, (len(truth), 2)), 2))
    report = evaluate(records_of(shaken, go_on, with_states=False), truth, setting="tracked")
    for every, standing, moving in zip(
        report.horizons, report.standing_horizons, report.moving_horizons, strict=True
    ):  # fmt: skip
        assert (every.ade_baseline, every.fde_baseline) == ("stays", "stays")
        assert every.fde_comparison is not None and every.fde_comparison.is_worse
        assert (standing.target_count, moving.target_count) == (every.target_count, 0)


def test_moving_and_standing_objects_are_counted_apart() -> None:
    # Half of a box, 20 px, is reached in 1 s by the first, in 2 s by the second, never by the third.
    truth = truth_of({1: straight((30.0, 0.0)), 2: straight((15.0, 0.0)), 3: straight((1.0, 0.0))})
    width_px = float(np.ptp(truth.boxes_xyxy_px[0, ::2]))
    report = evaluate(records_of(truth, go_on), truth)
    speeds = np.array([30.0, 15.0, 1.0])
    for scores, moving, standing in zip(
        report.horizons, report.moving_horizons, report.standing_horizons, strict=True
    ):  # fmt: skip
        assert moving.object_count == int((speeds * scores.horizon_s > 0.5 * width_px).sum())
        assert moving.object_count + standing.object_count == scores.object_count == 3
        assert moving.target_count + standing.target_count == scores.target_count


def test_the_recent_row_is_the_latest_that_is_a_quarter_of_a_second_old() -> None:
    seconds = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 5.0, 0.0, 0.2, 0.0, 1.0])
    ids = np.array([7, 7, 7, 7, 7, 7, 2, 2, 7, 7])
    cameras = np.array(["a"] * 8 + ["b"] * 2)
    order = np.random.default_rng(0).permutation(len(ids))
    stamps = np.rint(seconds * 1e9).astype(np.int64) + 10**18
    rows = recent_rows(cameras=cameras[order], ids=ids[order], timestamps_ns=stamps[order])
    found = np.full(len(ids), -1)
    found[order] = np.where(rows >= 0, order[rows], -1)
    assert found.tolist() == [-1, 0, 0, 0, 1, 4, -1, 6, -1, 8]


def test_the_future_changes_no_input_and_no_constant_velocity() -> None:
    truth = truth_of({1: straight((30.0, 0.0)), 2: straight((0.0, 20.0), (500.0, 50.0))})
    records = records_of(truth, go_on)
    cut = 20
    later = truth.frame_indices >= cut
    moved = replace(truth, boxes_xyxy_px=np.where(later[:, None], truth.boxes_xyxy_px + 300.0, truth.boxes_xyxy_px))
    until = [record for record in records if record.frame_index < cut]
    # Constant velocity misses the moved future by exactly what was added to it: it has not seen it.
    report = evaluate(until, moved, horizons_s=[3.0])
    reference = evaluate(until, truth, horizons_s=[3.0])
    assert report.candidate_count == reference.candidate_count
    baseline = report.horizons[0].baselines["CV last"]
    reached = np.array([frame + 15 >= cut for frame in range(1, cut)])
    assert baseline.fde_px == pytest.approx(np.hypot(300, 300) * reached.mean(), rel=1e-6)


def test_truth_between_frames_is_linear_and_unknown_across_wide_gaps() -> None:
    truth = truth_of({1: straight((50.0, 0.0), (0.0, 0.0)), 2: straight((0.0, 50.0), (9.0, 0.0))}, frames=10)
    kept = truth[~((truth.ids == 1) & np.isin(truth.frame_indices, (3, 6, 7)))]
    futures = GtPaths.from_truth(truth=kept, frame_timestamps_ns=timestamps_ns(10))
    first = futures.object_of_row[np.flatnonzero(kept.ids == 1)[:1]]
    seconds = np.array([[0.1, 0.6, 1.0, 1.2, 1.6, 1.8, 1.9, 9.0]])
    stamps = timestamps_ns(10)[0] + np.rint(seconds * 1e9).astype(np.int64)
    x = futures.centres_at(objects=first, timestamps_ns=stamps)[0, :, 0]
    # Frame 3 (0.6 s) lies in a gap of 0.4 s and is bridged; frames 6 and 7 in one of 0.6 s and are not.
    np.testing.assert_allclose(x, [5.0, 30.0, 50.0, np.nan, 80.0, 90.0, np.nan, np.nan], atol=1e-6)


def test_a_gap_before_the_horizon_leaves_the_target_out() -> None:
    truth = truth_of({1: straight((30.0, 0.0))})
    kept = truth[~np.isin(truth.frame_indices, (10, 11, 12))]
    report = evaluate(records_of(kept, go_on)[:6], kept)
    assert [scores.target_count for scores in report.horizons] == [4, 0, 0]
    assert report.horizons[1].expected is None


@pytest.mark.parametrize("setting", ["tracked", "ground-truth tracks"])
def test_objects_of_two_cameras_with_the_same_id_stay_apart(setting: str) -> None:
    front = truth_of({1: straight((30.0, 0.0))})
    rear = replace(truth_of({1: straight((-30.0, 0.0), (800.0, 100.0))}), cameras=np.full(40, "rear"))
    both = join_tables([front, rear])
    records = records_of(rear, stay)
    scores = evaluate(records, both, setting=setting).horizons[0]
    assert scores.expected is not None
    assert scores.expected.fde_px == pytest.approx(30.0)
    assert scores.baselines["CV last"].fde_px == pytest.approx(0.0, abs=1e-5)


def test_coverage_of_the_right_and_of_a_too_narrow_spread() -> None:
    rng = np.random.default_rng(0)
    paths = {identity: straight((0.0, 0.0), (500.0, 250.0)) for identity in range(40)}
    truth = truth_of(paths)
    offset = rng.normal(0, 3.0, (len(truth), 2))
    truth = replace(truth, boxes_xyxy_px=truth.boxes_xyxy_px + np.tile(offset, 2))

    def centre(centres: np.ndarray, velocities: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.array([500.0, 250.0]), (len(centres), STEPS, 2))

    right = evaluate(records_of(truth, centre, stds_px=3.0), truth).horizons[0].coverage
    assert right is not None
    assert (right.x_50, right.y_50) == pytest.approx((0.5, 0.5), abs=0.06)
    assert (right.x_90, right.y_90) == pytest.approx((0.9, 0.9), abs=0.04)
    narrow = evaluate(records_of(truth, centre, stds_px=1.0), truth).horizons[0].coverage
    assert narrow is not None
    assert narrow.x_90 < 0.6
    assert evaluate(records_of(truth, centre, stds_px=0.0), truth).horizons[0].coverage is None


def test_a_horizon_between_two_steps_is_interpolated_and_one_beyond_is_named() -> None:
    truth = truth_of({1: straight((30.0, 0.0)), 2: straight((30.0, 0.0), (200.0, 200.0))})
    report = evaluate(records_of(truth, stay), truth, horizons_s=[1.25, 3.0, 4.0])
    assert [scores.horizon_s for scores in report.horizons] == [1.25, 3.0]
    assert report.unreached_horizons_s == (4.0,)
    assert report.horizons[0].expected is not None
    assert report.horizons[0].expected.fde_px == pytest.approx(30 * 1.25)
    moving = evaluate(records_of(truth, go_on), truth, horizons_s=[1.25]).horizons[0].expected
    assert moving is not None
    assert moving.fde_px == pytest.approx(0.0, abs=1e-5)


def test_futures_at_constant_velocity() -> None:
    now, before = np.array([[10.0, 10.0, 30.0, 30.0]]), np.array([[5.0, 12.0, 25.0, 32.0]])
    times = np.array([0.5, 2.0])
    got = last_difference_paths(
        boxes_xyxy_px=now, previous_boxes_xyxy_px=before, elapsed_s=np.array([0.5]), times_s=times
    )
    np.testing.assert_allclose(got, [[[25.0, 18.0], [40.0, 12.0]]])
    state = np.array([[0.5, 0.5, 0.1, 0.1, 0.01, -0.02, 9.0, 9.0]])
    filtered = kalman_velocity_paths(
        boxes_xyxy_px=now, state_means=state, image_sizes_px=np.array([[1000, 500]]), times_s=times
    )
    np.testing.assert_allclose(filtered, [[[25.0, 15.0], [40.0, 0.0]]])
    with pytest.raises(ValueError, match="elapsed_s"):
        last_difference_paths(boxes_xyxy_px=now, previous_boxes_xyxy_px=before, elapsed_s=np.zeros(1), times_s=times)


def test_empty_runs_have_empty_scores() -> None:
    truth = truth_of({1: straight((30.0, 0.0))})
    for records in ([], [replace(record, forecasts=Forecasts.empty()) for record in records_of(truth, stay)]):
        report = evaluate(records, truth)
        assert [scores.target_count for scores in report.horizons] == [0, 0, 0]
        assert report.without_forecast_count == sum(len(record.track_ids) for record in records)
    unmatched = evaluate(records_of(truth, stay), table([]))
    assert (unmatched.unmatched_count, unmatched.candidate_count) == (40, 0)


def test_the_same_seed_gives_the_same_intervals() -> None:
    truth = truth_of({identity: straight((10.0 * identity, 0.0), (50.0, 40.0 * identity)) for identity in range(1, 6)})
    records = records_of(truth, stay, offsets_px=(1.0,))
    first, second = (evaluate(records, truth, rng=np.random.default_rng(7)) for _ in range(2))
    assert first == second
    assert first.horizons[0].fde_comparison is not None
    assert first.horizons[0].fde_comparison.is_worse


def test_a_record_of_one_pipeline_step() -> None:
    tracks = Tracks.empty()
    record = InstantForecasts.from_tracks(
        frame_index=3, timestamp_ns=5, tracks=tracks, forecasts=Forecasts.empty(modes=2, steps=4)
    )
    assert (record.frame_index, len(record.track_ids)) == (3, 0)
    assert record.state_means is not None


def test_rejects_other_recordings_and_bad_records() -> None:
    truth = truth_of({1: straight((30.0, 0.0))})
    records = records_of(truth, stay)
    with pytest.raises(UsageError, match="Frame 0 of the forecasts"):
        evaluate([replace(records[0], timestamp_ns=records[0].timestamp_ns + 1)], truth)
    with pytest.raises(UsageError, match="camera 'front'"):
        evaluate(records, replace(truth, cameras=np.full(40, "rear")))
    with pytest.raises(UsageError, match="boxes in frame 39"):
        evaluate_forecasts(
            records=[],
            truth=truth,
            frame_timestamps_ns=timestamps_ns(20),
            setting="tracked",
            rng=np.random.default_rng(0),
        )
    with pytest.raises(UsageError, match="time stamps do not grow"):
        evaluate_forecasts(
            records=[],
            truth=truth,
            frame_timestamps_ns=np.zeros(40, np.int64),
            setting="tracked",
            rng=np.random.default_rng(0),
        )
    with pytest.raises(UsageError, match="ground"):
        on_the_ground = replace(records[0].forecasts, reference_frame="ground", axes_rad=np.zeros(1))
        evaluate([replace(records[0], forecasts=on_the_ground)], truth)
    with pytest.raises(ValueError, match="growing time stamps"):
        evaluate(records[::-1], truth)
    with pytest.raises(ValueError, match="one step and length"):
        evaluate([records[0], replace(records[1], forecasts=replace(records[1].forecasts, dt_s=0.2))], truth)
    with pytest.raises(ValueError, match="state_means in all"):
        evaluate([records[0], replace(records[1], state_means=None)], truth)
    with pytest.raises(UsageError, match="longer than the shortest horizon"):
        evaluate(records, truth, horizons_s=[0.05])
    with pytest.raises(ValueError, match="positive"):
        evaluate(records, truth, horizons_s=[])
    with pytest.raises(ValueError, match="another id"):
        replace(records[0], forecasts=replace(records[0].forecasts, track_ids=np.array([9])))
    with pytest.raises(ValueError, match="boxes_xyxy_px"):
        replace(records[0], boxes_xyxy_px=np.zeros((2, 4)))
    with pytest.raises(ValueError, match="state_means"):
        replace(records[0], state_means=np.zeros((1, 4)))


@pytest.mark.shared
def test_constant_velocity_on_the_motorway_equals_a_direct_computation(shared_dir: Path) -> None:
    truth = read_motchallenge(shared_dir / "real/motorway/val_morning/gt.txt")
    truth = truth[truth.frame_indices < FRAMES]
    ids = np.unique(truth.ids)
    first, last, count = (
        np.array([reduce(truth.frame_indices[truth.ids == identity]) for identity in ids])
        for reduce in (np.min, np.max, np.size)
    )
    # Objects without a gap only, so that nothing is interpolated.
    truth = truth[np.isin(truth.ids, ids[last - first + 1 == count])]
    report = evaluate(records_of(truth, stay, with_states=False), truth, horizons_s=[1.0])
    centres = {
        (int(identity), int(frame)): (box[:2] + box[2:]) / 2
        for identity, frame, box in zip(truth.ids, truth.frame_indices, truth.boxes_xyxy_px, strict=True)
    }
    ahead = round(1e9 / FRAME_NS)
    errors = [
        np.linalg.norm(centres[identity, frame + ahead] - now - (now - centres[identity, frame - 1]) * ahead)
        for (identity, frame), now in centres.items()
        if (identity, frame - 1) in centres and (identity, frame + ahead) in centres
    ]
    scores = report.horizons[0]
    assert scores.target_count == len(errors) > 100
    assert scores.baselines["CV last"].fde_px == pytest.approx(np.mean(errors), rel=1e-6)


YAW_RADPS = 0.1
CAMERA = np.array([[800.0, 0, 500], [0, 800, 250], [0, 0, 1]])


def _turning_run(bearing_rad: float) -> tuple[BoxTable, list[InstantForecasts]]:
    """A camera that turns right; far away stands an object, which goes left in the image; it is forecast to stay."""

    def path(times: np.ndarray) -> np.ndarray:
        return np.stack([500 + 800 * np.tan(bearing_rad - YAW_RADPS * times), np.full(len(times), 250.0)], axis=1)

    truth = truth_of({1: path})
    ego = EgoMotion(
        dt_s=FRAME_NS * 1e-9,
        now_from_before=Rotation.from_euler("y", -YAW_RADPS * FRAME_NS * 1e-9).as_matrix(),
        rotation_stds_rad=np.full(3, 1e-3),
        camera_matrix=CAMERA,
        image_size_px=(1000, 500),
    )
    records = records_of(truth, stay)
    camera = str(truth.cameras[0])
    return truth, [replace(record, ego_motions={camera: ego} if record.frame_index else {}) for record in records]


def test_what_only_the_camera_moves_is_no_error_of_a_forecast() -> None:
    truth, records = _turning_run(0.35)
    with_turning, blind = (
        evaluate(run, truth).horizons[2] for run in (records, [replace(record, ego_motions={}) for record in records])
    )
    assert with_turning.expected is not None
    assert blind.expected is not None
    assert with_turning.expected.fde_px < 1.0
    assert blind.expected.fde_px > 200.0
    # The velocity in the image is the camera's; less its turning nothing is left.
    assert with_turning.baselines["CV 0.25 s"].fde_px > 200.0
    assert with_turning.baselines["CV 0.25 s, turning removed"].fde_px < 6.0
    assert "CV 0.25 s, turning removed" not in blind.baselines
    assert blind.baselines["CV 0.25 s"].fde_px < 40.0
