"""Several runs measured as one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.forecast_runs import go_on, records_of, truth_of, turning
from support.ground_runs import SyntheticDrive, line, straight_on, turn
from support.trackeval_oracle import assert_equal_to_trackeval, position_similarity, scores_of, sequence

from perception.errors import UsageError
from perception.evaluation.core.records import InstantForecasts
from perception.evaluation.core.run_tables import RunTables, join_tables
from perception.evaluation.core.timeline import Timeline
from perception.evaluation.report.count import EvalConfig
from perception.evaluation.report.evaluate import evaluate_run
from perception.evaluation.report.report import Report
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.evaluation.runs.merge_sequences import merge_runs
from perception.forecasting import ConstantVelocityForecaster

CONFIG = EvalConfig(score_threshold=0.25, grouping="each")


def drive(seed: int, *, instants: int = 50) -> EvaluatedRun:
    """Cars around a moving car, tracked with errors, under ids that other drives use too."""
    rng = np.random.default_rng(seed)
    paths = {
        key: [line, turn][key % 2](*[(tuple(rng.normal(0, 1, 2)), position), (rng.uniform(1, 2), position)][key % 2])
        for key, position in enumerate(map(tuple, rng.uniform(12, 30, (8, 2)) * rng.choice([-1, 1], (8, 2))))
    }
    made = SyntheticDrive(paths, instants=instants, car=line((0.5, 0.0), (0.0, 0.0)))
    scenes = made.scenes(
        identity=lambda instant, key: key + 100 * (instant > 20 + 3 * key),
        error_m=lambda offsets: rng.normal(0, 0.5, offsets.shape),
        found=lambda instant, key: (instant + key) % 5 > 0,
        forecast=straight_on,
    )
    return made.evaluated(scenes, title=f"drive {seed}")


def evaluate(runs: list[EvaluatedRun], config: EvalConfig = CONFIG) -> Report:
    return evaluate_run(*runs, title="together", rng=np.random.default_rng(0), config=config)


def test_pooled_tracking_is_what_trackeval_makes_of_the_sequences() -> None:
    runs = [drive(seed) for seed in range(3)]
    sequences = {}
    for run in runs:
        truth = run.ground_truth(CONFIG.scope)
        truth = truth[truth.counts]
        tracks = run.run.objects
        assert tracks is not None
        instants = np.searchsorted(run.timeline.timestamps_ns, tracks.timestamps_ns)
        sides = (
            (truth.instants, truth.ids, truth.positions_m),
            (instants, tracks.ids, tracks.centres_m[:, :2]),
        )
        sequences[run.title] = sequence(*sides, position_similarity)
    report = evaluate(runs)
    assert report.ground is not None
    assert report.ground.tracking[0].ignored_truth_count == 0
    assert_equal_to_trackeval(report.ground.tracking[0].overall, scores_of(sequences))


def test_a_drive_twice_has_the_scores_of_the_drive() -> None:
    one, two = evaluate([drive(1)]), evaluate([drive(1), drive(1)])
    assert one.ground is not None
    assert two.ground is not None
    for single, double in ((one.detection[0], two.detection[0]), (one.tracking[0], two.tracking[0])):
        assert double.image_count == 2 * single.image_count
    assert two.detection[0].overall.ap50 == pytest.approx(one.detection[0].overall.ap50)
    assert two.tracking[0].overall.hota == pytest.approx(one.tracking[0].overall.hota)
    assert two.ground.tracking[0].overall.hota == pytest.approx(one.ground.tracking[0].overall.hota)
    assert two.ground.localization.near.median_m == pytest.approx(one.ground.localization.near.median_m)
    assert two.ground.localization.near.count == 2 * one.ground.localization.near.count
    assert two.ground.cross_camera_identity.kept_share == pytest.approx(one.ground.cross_camera_identity.kept_share)
    for single, double in zip(one.ground.forecasting[0].horizons, two.ground.forecasting[0].horizons, strict=True):
        assert (double.target_count, double.object_count) == (2 * single.target_count, 2 * single.object_count)
        assert double.expected is not None
        assert single.expected is not None
        assert double.expected.fde_m == pytest.approx(single.expected.fde_m)
    # The second run's warm-up is left out as the first one's is.
    assert one.latency is not None
    assert two.latency is not None
    assert two.latency.instant_count == 2 * one.latency.instant_count


def test_each_recording_has_its_own_figures() -> None:
    runs = [drive(seed) for seed in (1, 2)]
    together, alone = evaluate(runs), [evaluate([run]) for run in runs]
    assert [figures.title for figures in together.recordings] == ["drive 1", "drive 2"]
    assert alone[0].recordings == ()
    for figures, report in zip(together.recordings, alone, strict=True):
        assert report.ground is not None
        assert figures.instant_count == 50
        assert figures.ap50 == report.detection[0].overall.ap50
        assert figures.hota == report.ground.tracking[0].overall.hota
        assert figures.position_share == report.ground.localization.near.median_share
        comparison = report.ground.forecasting[0].horizons[2].best_fde_comparison
        assert comparison is not None
        assert figures.best_fde_ratio == comparison.ratio


def in_image(seed: int) -> EvaluatedRun:
    """Cars of one camera, found a little beside where they are."""
    truth = truth_of({key: turning(20.0 * key, (100.0, 80.0 * key + seed)) for key in range(1, 6)})
    records = records_of(truth, go_on, stds_px=3.0)
    run = RunTables(detections=truth, tracks=truth, records=tuple(records), stage_ms=({"detect": 1.0},) * 40)
    timeline = Timeline(
        np.array([record.timestamp_ns for record in records]), {"front": np.arange(40)}, {"front": (1000, 500)}
    )
    return EvaluatedRun.of(title=str(seed), run=run, truth=truth, timeline=timeline)


def test_runs_in_the_image_are_pooled_too_with_their_forecasts_on_true_tracks() -> None:
    runs = [in_image(seed).with_gt_tracks(ConstantVelocityForecaster(), CONFIG.scope) for seed in (0, 7)]
    report, alone = evaluate(runs), evaluate(runs[:1])
    assert report.ground is None
    assert [part.setting for part in report.forecasting] == ["tracked", "ground-truth tracks"]
    for part, single in zip(report.forecasting, alone.forecasting, strict=True):
        assert part.unmatched_count == 0
        assert part.candidate_count == 2 * single.candidate_count
        for scores, own in zip(part.horizons, single.horizons, strict=True):
            assert scores.target_count == 2 * own.target_count
            assert scores.expected is not None
            assert own.expected is not None
            # The same ways, only lower in the image.
            assert scores.expected.fde_px == pytest.approx(own.expected.fde_px)
    assert [figures.hota for figures in report.recordings] == pytest.approx([1.0, 1.0])


def plain(value: object) -> object:
    """What a comparison needs: without names of recordings and intervals, which are drawn anew."""
    if isinstance(value, dict):
        without = ("recording", "recordings", "spread", "scenes", "worst", "slowest_instants")
        return {key: plain(item) for key, item in value.items() if key not in without and not key.endswith("_interval")}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


@pytest.mark.parametrize("kind", ["ground", "image"])
def test_recordings_counted_one_by_one_score_as_one_long_recording(kind: str) -> None:
    if kind == "ground":
        runs = [drive(seed) for seed in range(3)]
    else:
        runs = [in_image(seed).with_gt_tracks(ConstantVelocityForecaster(), CONFIG.scope) for seed in (0, 7)]
    for grouping in ("both", "any"):
        config = replace(CONFIG, grouping=grouping)
        counted, merged = evaluate(runs, config), evaluate([merge_runs(runs, title="together")], config)
        # The summary rounds what follows.
        assert plain(counted.to_json() | {"summary": ""}) == plain(merged.to_json() | {"summary": ""})
        assert counted.summary() == merged.summary()


def test_nothing_of_one_recording_touches_another() -> None:
    pooled = merge_runs([drive(1), drive(1)], title="both")
    assert (np.diff(pooled.timeline.timestamps_ns) > 0).all()
    half = len(pooled.truth) // 2
    assert set(pooled.truth.ids[:half]).isdisjoint(pooled.truth.ids[half:])
    assert pooled.objects is not None
    assert set(pooled.objects.ids) == set(pooled.truth.ids)
    assert pooled.instants == list(range(100))
    assert pooled.timeline.instants_of(pooled.truth)[half:].min() >= 50
    assert sorted(pooled.timeline.vehicle_poses) == list(range(100))


def test_a_run_on_the_ground_without_truth_there_is_measured_in_the_images_and_reports_it() -> None:
    run = drive(1)
    report = evaluate([replace(run, objects=None)])
    assert report.ground is None
    assert report.forecasting == ()
    assert report.tracking[0].overall.hota is not None
    assert any("does not state where its objects are" in note for note in report.notes)


def test_min_visible_is_half_on_the_ground_and_nothing_in_the_image_unless_asked() -> None:
    made = SyntheticDrive({1: line((0.0, 0.0), (20.0, 0.0)), 2: line((0.0, 0.0), (-20.0, 0.0))}, instants=4)
    truth = made.boxes(visible=lambda instant, identity, camera: 1.0 if identity == 1 else 0.3)
    run = made.evaluated(made.scenes(forecast=straight_on), truth=truth)
    for share, in_images, on_ground in ((None, 8, 4), (0.0, 8, 8), (0.2, 8, 8), (0.5, 4, 4)):
        report = evaluate([run], replace(CONFIG, min_visible_share=share))
        assert report.ground is not None
        assert report.detection[0].overall.truth_count == in_images
        assert report.tracking[0].overall.truth_box_count == in_images
        assert report.ground.tracking[0].overall.truth_box_count == on_ground
        assert report.ground.forecasting[0].truth_count == on_ground


def test_a_report_is_called_as_its_first_run() -> None:
    config = EvalConfig(score_threshold=0.25, grouping="each")
    report = evaluate_run(drive(1), rng=np.random.default_rng(0), config=config)
    assert report.title == drive(1).title
    assert replace(report, title="together") == evaluate([drive(1)])
    with pytest.raises(ValueError, match="at least one"):
        evaluate_run(rng=np.random.default_rng(0), config=config)


def test_rejects_mixtures_and_nothing() -> None:
    with pytest.raises(UsageError, match="not of one kind"):
        merge_runs([drive(1), in_image(1)], title="both")
    with pytest.raises(ValueError, match="at least one"):
        merge_runs([], title="none")


def test_visible_shares_are_kept_when_tables_are_joined() -> None:
    made = SyntheticDrive({1: line((0.0, 0.0), (20.0, 0.0))}, instants=2)
    shared, unknown = made.boxes(visible=lambda instant, identity, camera: 0.4), made.boxes()
    joined = join_tables([shared, shared]).visible_shares
    assert joined is not None
    assert joined.tolist() == [0.4] * 4
    assert join_tables([shared, unknown]).visible_shares is None


def test_the_recorder_keeps_every_sighting_and_the_positions_of_what_is_seen() -> None:
    made = SyntheticDrive({1: line((0.0, 0.0), (20.0, 0.0)), 2: line((1.0, 0.0), (0.0, 15.0))}, instants=3)
    scenes = made.scenes(forecast=straight_on)
    hidden = [replace(scene, tracks=replace(scene.tracks, unseen_s=np.array([0.0, 0.4]))) for scene in scenes]
    run = made.evaluated(hidden).run
    assert run.objects is not None
    assert run.objects.ids.tolist() == [1, 1, 1]
    assert run.objects.timestamps_ns.tolist() == made.timestamps_ns.tolist()
    assert run.objects.centres_m[0] == pytest.approx([20.0, 0.0, 0.8])
    # What the cameras saw is told by the sightings, not by the age of the track.
    assert run.tracks.ids.tolist() == [1, 2] * 3
    assert set(run.tracks.cameras.tolist()) == {"front", "left"}
    cut = [
        replace(scene, tracks=scene.tracks[scene.tracks.ids == 2], forecasts=scene.forecasts[1:]) for scene in scenes
    ]
    assert made.evaluated(cut).run.tracks.ids.tolist() == [2] * 3
    records: tuple[InstantForecasts, ...] = run.records
    assert records[1].state_means is not None
    assert records[1].state_means[:, 4].tolist() == pytest.approx([0.0, 1.0])
