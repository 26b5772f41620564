"""ADE, FDE, miss rate and calibration on the ground."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.ground_runs import DT_S, STEPS, Forecasting, SyntheticDrive, knowing, line, straight_on, turn

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.evaluation.core.ground_truth import GroundScope
from perception.evaluation.core.records import InstantForecasts
from perception.evaluation.forecasting.ground import GroundForecastingReport, evaluate_ground_forecasts
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.forecasting import ConstantVelocityForecaster
from perception.types import Forecasts, Scene

SCOPE = GroundScope()
STRAIGHT = {1: line((3.0, 0.0), (10.0, 2.0)), 2: line((-2.0, 4.0), (0.0, 20.0)), 3: line((0.0, 0.0), (-20.0, 0.0))}
TURNING = {1: turn(5.0, (10.0, 5.0)), 2: turn(8.0, (-30.0, 10.0), -0.3), 3: line((0.0, 0.0), (25.0, -5.0))}


def evaluate(evaluated: EvaluatedRun, **options: object) -> GroundForecastingReport:
    assert evaluated.objects is not None
    records = evaluated.run.records if evaluated.gt_records is None else evaluated.gt_records
    setting = "tracked" if evaluated.gt_records is None else "ground-truth tracks"
    arguments = {"records": records, "setting": setting, "rng": np.random.default_rng(0), **options}
    return evaluate_ground_forecasts(objects=evaluated.objects, truth=evaluated.ground_truth(SCOPE), **arguments)


def run(drive: SyntheticDrive, forecast: Forecasting | None, scenes: list[Scene] | None = None) -> EvaluatedRun:
    return drive.evaluated(drive.scenes(forecast=forecast) if scenes is None else scenes)


def test_who_knows_the_future_makes_no_error_in_the_best_of_his_futures() -> None:
    drive = SyntheticDrive(TURNING, instants=60)
    for scores in evaluate(run(drive, knowing(drive))).horizons:
        assert scores.best_of_k is not None
        assert scores.most_probable is not None
        assert scores.expected is not None
        assert (scores.best_of_k.ade_m, scores.best_of_k.fde_m) == pytest.approx((0.0, 0.0), abs=0.01)
        # The wrong one, 8 m aside, has three quarters of the probability.
        assert (scores.most_probable.ade_m, scores.most_probable.fde_m) == pytest.approx((8.0, 8.0), abs=0.01)
        assert scores.expected.fde_m == pytest.approx(6.0, abs=0.01)
        assert scores.miss_rate == 0.0
        assert scores.best_fde_comparison is not None
        assert scores.best_fde_comparison.ratio == pytest.approx(0.0, abs=0.05)


def test_constant_velocity_equals_itself_and_is_exact_on_straight_ways() -> None:
    straight = evaluate(run(SyntheticDrive(STRAIGHT, instants=60), straight_on))
    for scores in straight.horizons:
        assert (scores.baselines["CV"].ade_m, scores.baselines["CV"].fde_m) == pytest.approx((0.0, 0.0), abs=1e-6)
        assert scores.expected == scores.best_of_k == scores.most_probable
    for scores in evaluate(run(SyntheticDrive(TURNING, instants=60), straight_on)).horizons:
        assert scores.expected == scores.baselines["CV"]
        assert scores.fde_comparison is not None
        assert (scores.fde_comparison.ratio, scores.fde_comparison.difference_interval) == (1.0, (0.0, 0.0))
        assert scores.miss_rate == scores.baseline_miss_rate


def test_standing_still_is_off_by_the_way_and_misses_beyond_two_metres() -> None:
    def stay(centres: FloatArray, velocities: FloatArray, ids: IntArray, instant: int) -> FloatArray:
        return np.repeat(centres[:, None, None], STEPS, axis=2)

    report = evaluate(run(SyntheticDrive(STRAIGHT, instants=60), stay))
    speeds = np.array([3.0, np.hypot(2, 4), 0.0])
    for scores in report.horizons:
        assert scores.expected is not None
        assert scores.expected.fde_m == pytest.approx(speeds.mean() * scores.horizon_s)
        steps = round(scores.horizon_s / DT_S)
        assert scores.expected.ade_m == pytest.approx(speeds.mean() * DT_S * (steps + 1) / 2)
        assert scores.miss_rate == pytest.approx(2 / 3)
        assert scores.baseline_miss_rate == 0.0
    moving = report.moving_horizons[2]
    assert (moving.object_count, report.horizons[2].object_count) == (2, 3)
    assert moving.expected is not None
    assert moving.expected.fde_m == pytest.approx(3 * speeds[:2].mean())


def test_counts_of_what_could_be_scored() -> None:
    drive = SyntheticDrive({1: line((1.0, 0.0), (10.0, 0.0)), 2: line((0.0, 0.0), (-10.0, 0.0))}, instants=50)
    truth = drive.boxes(visible=lambda instant, identity, camera: float(identity == 1 or instant < 10))
    scenes = drive.scenes(forecast=straight_on, error_m=lambda offsets: np.where(offsets > 15, 3.0, 0.0))
    report = evaluate(drive.evaluated(scenes, truth=truth))
    # Object 1 is placed 3 m off where x passes 15 m, from instant 51 on: never here.
    assert (report.track_count, report.first_sight_count, report.ignored_count, report.unmatched_count) == (
        100,
        2,
        40,
        0,
    )
    assert report.candidate_count == 58
    assert (report.truth_count, report.truth_matched_count) == (60, 60)
    assert [scores.target_count for scores in report.horizons] == [39 + 9, 29 + 9, 19 + 9, 9 + 9]
    assert report.horizons[3].without_future_count == 40
    far = evaluate(drive.evaluated(drive.scenes(forecast=straight_on, error_m=lambda offsets: 0 * offsets + 1.5)))
    assert (far.unmatched_count, far.candidate_count) == (100, 0)
    without = [replace(scene, forecasts=scene.forecasts[scene.forecasts.track_ids == 1]) for scene in scenes]
    assert evaluate(drive.evaluated(without, truth=truth)).without_forecast_count == 50


def test_a_forecaster_on_true_tracks() -> None:
    drive = SyntheticDrive(STRAIGHT, instants=60, car=line((1.0, 0.0), (0.0, 0.0)))
    evaluated = run(drive, straight_on).with_gt_tracks(GroundConstantVelocity(), SCOPE)
    report = evaluate(evaluated)
    assert report.setting == "ground-truth tracks"
    assert report.candidate_count == 3 * 59
    for scores in report.horizons:
        assert scores.expected is not None
        assert scores.expected.fde_m == pytest.approx(0.0, abs=1e-6)


class GroundConstantVelocity:
    """A forecaster that knows nothing but the velocity, and wants the car's pose."""

    def reset(self) -> None:
        self.last_ns = -1

    def step(self, tracks: object, timestamp_ns: int, world_from_vehicle: object, *more: object) -> Forecasts:
        assert world_from_vehicle is not None
        assert timestamp_ns > self.last_ns
        self.last_ns = timestamp_ns
        means = straight_on(tracks.means[:, :2], tracks.means[:, 4:6], tracks.ids, 0)
        return Forecasts(
            track_ids=tracks.ids,
            probabilities=np.ones((len(tracks), 1)),
            means=means,
            stds=np.ones_like(means),
            dt_s=DT_S,
            reference_frame="ground",
            axes_rad=np.zeros(len(tracks)),
        )


def test_true_tracks_show_the_width_that_the_car_sees() -> None:
    drive = SyntheticDrive({1: line((3.0, 0.0), (10.0, 0.0)), 2: line((3.0, 0.0), (0.0, 20.0))}, instants=3)
    seen = []

    class Keeping(GroundConstantVelocity):
        def step(self, tracks: object, timestamp_ns: int, *more: object) -> Forecasts:
            seen.append(tracks)
            return super().step(tracks, timestamp_ns, *more)

    run(drive, straight_on).with_gt_tracks(Keeping(), SCOPE)
    first, second, _ = seen
    # One is seen from behind, 1.8 m wide, the other from the side, 4.5 m long.
    assert dict(zip(first.ids.tolist(), first.means[:, 2].tolist(), strict=True)) == pytest.approx({1: 1.8, 2: 4.5})
    assert first.means[:, 4:6] == pytest.approx(np.zeros((2, 2)))
    assert second.means[:, 4] == pytest.approx([3.0, 3.0])
    assert second.ages_s == pytest.approx([0.1, 0.1])
    assert (np.linalg.eigvalsh(second.covariances) > 0).all()
    assert second.reference_frame == "ground"


def test_coverage_along_and_across_the_axis_of_each_forecast() -> None:
    rng = np.random.default_rng(0)
    drive = SyntheticDrive({key: line((0.0, 0.0), tuple(rng.uniform(10, 30, 2))) for key in range(40)}, instants=60)
    spread, axis = np.array([3.0, 0.5]), 0.7
    turned = np.array([[np.cos(axis), -np.sin(axis)], [np.sin(axis), np.cos(axis)]])

    def guess(centres: FloatArray, velocities: FloatArray, ids: IntArray, instant: int) -> FloatArray:
        errors = rng.normal(size=(len(centres), 1, 1, 2)) * spread @ turned.T
        return centres[:, None, None] + np.broadcast_to(errors, (len(centres), 1, STEPS, 2))

    def coverage(stds: FloatArray, axis_rad: float) -> object:
        scenes = [
            replace(
                scene,
                forecasts=replace(
                    scene.forecasts,
                    stds=np.broadcast_to(stds, scene.forecasts.means.shape).copy(),
                    axes_rad=np.full(len(scene.tracks), axis_rad),
                ),
            )
            for scene in drive.scenes(forecast=guess)
        ]
        return evaluate(run(drive, None, scenes)).horizons[0].coverage

    right = coverage(spread, axis)
    assert (right.along_50, right.across_50) == pytest.approx((0.5, 0.5), abs=0.04)
    assert (right.along_90, right.across_90) == pytest.approx((0.9, 0.9), abs=0.03)
    crossed = coverage(spread, axis + np.pi / 2)
    assert crossed.along_50 > 0.9
    assert crossed.across_90 < 0.4
    assert coverage(0.0 * spread, axis) is None


def test_the_same_track_by_another_name_and_in_another_order() -> None:
    drive = SyntheticDrive(TURNING, instants=50)
    renamed = drive.scenes(identity=lambda instant, identity: 90 - identity, forecast=straight_on)
    turned = [replace(scene, tracks=scene.tracks[::-1], forecasts=scene.forecasts[[1, 2, 0]]) for scene in renamed]
    original = evaluate(run(drive, straight_on))
    for found, expected in zip(evaluate(run(drive, None, turned)).horizons, original.horizons, strict=True):
        assert found.target_count == expected.target_count > 0
        assert found.expected is not None
        assert expected.expected is not None
        assert found.expected.fde_m == pytest.approx(expected.expected.fde_m)


def test_rejects_other_frames_and_records_without_states() -> None:
    drive = SyntheticDrive(STRAIGHT, instants=5)
    evaluated = run(drive, straight_on)
    records: tuple[InstantForecasts, ...] = evaluated.run.records
    in_image = replace(records[0], forecasts=replace(records[0].forecasts, reference_frame="image"))
    with pytest.raises(UsageError, match="calibrated cameras"):
        evaluate(evaluated, records=[in_image])
    with pytest.raises(ValueError, match="states on the ground"):
        evaluate(evaluated, records=[replace(records[0], state_means=None)])
    nothing = evaluate(evaluated, records=[])
    assert [scores.target_count for scores in nothing.horizons] == [0, 0, 0, 0]


def test_our_own_constant_velocity_stands_beside_itself() -> None:
    drive = SyntheticDrive(TURNING, instants=60)
    forecaster = ConstantVelocityForecaster()
    scenes = [
        replace(scene, forecasts=forecaster.step(scene.tracks, scene.timestamp_ns))
        for scene in drive.scenes(forecast=straight_on)
    ]
    for scores in evaluate(run(drive, None, scenes), horizons_s=(1.0, 2.0, 3.0)).horizons:
        assert scores.expected is not None
        assert scores.expected.fde_m == pytest.approx(scores.baselines["CV"].fde_m)
