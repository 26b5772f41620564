"""A saved run is read back as the run itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.ground_runs import CAMERA_YAWS_RAD, SyntheticDrive, knowing, line, turn

from perception.evaluation.report.count import EvalConfig
from perception.evaluation.report.evaluate import evaluate_run
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.evaluation.runs.load_results import saved_tables
from perception.results import ResultWriter, read_results


def test_a_saved_run_on_the_ground_is_measured_as_the_run_itself(tmp_path: Path) -> None:
    drive = SyntheticDrive({1: turn(5.0, (10.0, 5.0)), 2: line((2.0, 1.0), (-30.0, 10.0))}, instants=50)
    scenes = drive.scenes(forecast=knowing(drive), error_m=lambda offsets: 0.05 * offsets)
    with ResultWriter(tmp_path, cameras=tuple(CAMERA_YAWS_RAD)) as writer:
        for scene in scenes:
            writer.write(scene)
    run = drive.evaluated(scenes)
    saved = EvaluatedRun.of(
        title=run.title,
        run=saved_tables(read_results(tmp_path)),
        truth=run.truth,
        timeline=run.timeline,
        objects=run.objects,
    )
    reports = [
        evaluate_run(evaluated, title="", rng=np.random.default_rng(0), config=EvalConfig(score_threshold=0.25)).ground
        for evaluated in (run, saved)
    ]
    ours, theirs = reports
    assert ours is not None
    assert theirs is not None
    assert theirs.tracking[0].overall.hota == pytest.approx(ours.tracking[0].overall.hota, abs=1e-3)
    assert theirs.cross_camera_identity == ours.cross_camera_identity
    assert theirs.localization.near.median_share == pytest.approx(ours.localization.near.median_share, abs=1e-3)
    for read, made in zip(theirs.forecasting[0].horizons, ours.forecasting[0].horizons, strict=True):
        assert read.target_count == made.target_count > 0
        assert read.best_of_k is not None
        assert made.best_of_k is not None
        assert read.best_of_k.fde_m == pytest.approx(made.best_of_k.fde_m, abs=1e-3)
        assert read.baselines["CV"].fde_m == pytest.approx(made.baselines["CV"].fde_m, abs=1e-2)


def test_what_is_not_seen_goes_on_as_the_tracker_carries_it(tmp_path: Path) -> None:
    drive = SyntheticDrive({1: line((3.0, 4.0), (10.0, 5.0))}, instants=4)
    scenes = drive.scenes(forecast=knowing(drive))
    hidden = [
        replace(scene, tracks=replace(scene.tracks, unseen_s=np.full(1, 0.1 * index), headings_rad=np.zeros(1)))
        for index, scene in enumerate(scenes)
    ]
    with ResultWriter(tmp_path, cameras=tuple(CAMERA_YAWS_RAD)) as writer:
        for scene in hidden:
            writer.write(scene)
    states = [record.state_means for record in saved_tables(read_results(tmp_path)).records]
    velocities = np.array([state[0, 4:6] for state in states if state is not None])
    # Seen at first, with a heading along x; then by its positions.
    assert velocities == pytest.approx(np.array([[5.0, 0.0], [3.0, 4.0], [3.0, 4.0], [3.0, 4.0]]), abs=0.02)
