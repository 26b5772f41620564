"""The ground sections of perception/evaluation/report.py and printing_ground.py"""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from support.ground_runs import SyntheticDrive, knowing, line, turn

from perception.evaluation.report.console import print_report
from perception.evaluation.report.count import EvalConfig
from perception.evaluation.report.evaluate import evaluate_run
from perception.evaluation.report.report import Report
from perception.evaluation.runs.evaluated_run import EvaluatedRun

CONFIG = EvalConfig(score_threshold=0.25, min_height_px=6.0)


def drive(seed: int) -> EvaluatedRun:
    rng = np.random.default_rng(seed)
    paths = {
        **{key: line(tuple(rng.normal(0, 5, 2)), tuple(rng.uniform(-50, 50, 2))) for key in range(12)},
        **{key: turn(6.0, tuple(rng.uniform(-30, 30, 2))) for key in range(12, 18)},
    }
    made = SyntheticDrive(paths, instants=60, car=line((4.0, 0.0), (0.0, 0.0)), labels={key: key % 6 for key in paths})
    scenes = made.scenes(
        error_m=lambda offsets: 0.03 * offsets + rng.normal(0, 0.1, offsets.shape),
        forecast=knowing(made),
        found=lambda instant, key: (instant + key) % 7 > 0,
    )
    return made.evaluated(scenes, title=f"drives/test-{seed}")


@pytest.fixture(scope="module")
def report() -> Report:
    runs = [drive(seed) for seed in (1, 2)]
    return evaluate_run(*runs, title="2 recordings", rng=np.random.default_rng(0), config=CONFIG)


def printed(report: Report, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    print_report(report, console)
    return console.export_text()


@pytest.mark.parametrize("width", [80, 100, 120])
def test_nothing_is_cut_off(report: Report, width: int) -> None:
    text = printed(report, width)
    assert "…" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    words = " ".join(text.split())
    for wanted in (
        "Tracking on the ground",
        "One identity per object across all cameras",
        "1 - distance / 4 m",
        "a camera sees at least 50% of them and they are 6 px high, up to 60 m",
        "Cross-camera identity",
        "keep their identity",
        "20-40 m",
        "m too far.",
        "Forecasting on the ground",
        "Model / base",
        "Miss rate at 2 m:",
        "Moving: truly more than 1 m away",
        "Each recording",
        "drives/test-2",
        "Tracking in the image",
        "objects less than 6 px high ignored",
    ):
        assert wanted in words, wanted
    assert report.ground is not None
    ratio = report.ground.forecasting[0].horizons[2].fde_comparison
    assert ratio is not None
    assert ratio.ratio_interval is not None
    low, high = ratio.ratio_interval
    assert f"{ratio.ratio:.2f} [{low:.2f}, {high:.2f}]" in text


def test_large_numbers_fit_in_80_columns(report: Report) -> None:
    assert report.ground is not None
    far = replace(report.ground.localization.near, median_m=123.45, p90_m=123.45, count=123_456, truth_count=123_456)
    forecasting = report.ground.forecasting[0]
    horizons = tuple(
        replace(
            scores,
            **dict.fromkeys(("expected", "most_probable", "best_of_k"), large),
            baselines=dict.fromkeys(scores.baselines, large),
        )
        for scores in forecasting.horizons
        for large in [replace(scores.expected, ade_m=123.45, fde_m=123.45)]
    )
    ground = replace(
        report.ground,
        localization=replace(report.ground.localization, near=far),
        forecasting=(replace(forecasting, horizons=horizons, future_count=20),),
    )
    text = printed(replace(report, ground=ground), 80)
    assert "…" not in text
    assert "123,456" in text
    assert text.count("123.5") + text.count("123.4") >= 4 * 8


def test_json_is_whole_and_strict(report: Report) -> None:
    plain = json.loads(json.dumps(report.to_json(), allow_nan=False))
    ground = plain["ground"]
    assert ground["tracking"][0]["overall"]["hota"] > 0.5
    assert ground["tracking"][0]["scope"] == {"min_visible_share": 0.5, "min_height_px": 6.0, "max_distance_m": 60.0}
    assert ground["localization"]["near"]["median_share"] == pytest.approx(0.03, abs=0.01)
    assert ground["cross_camera_identity"]["kept_share"] == 1.0
    assert ground["forecasting"][0]["horizons"][3]["horizon_s"] == 4.0
    assert [figures["title"] for figures in plain["recordings"]] == ["drives/test-1", "drives/test-2"]


def test_summary_speaks_of_the_ground(report: Report) -> None:
    said = report.summary()
    assert "keeps the right identity across all cameras on" in said
    assert "of the distance (median)" in said
    assert "predicts positions 3 s ahead to 6.0" in said


def test_a_drive_without_objects_prints() -> None:
    made = SyntheticDrive({1: line((0.0, 0.0), (20.0, 0.0))}, instants=5)
    run = made.evaluated(made.scenes(found=lambda instant, key: False))
    report = evaluate_run(run, title="nothing", rng=np.random.default_rng(0), config=CONFIG)
    words = " ".join(printed(report, 80).split())
    assert "No tracked object passed from one camera to another" in words
    assert "0 of 0 tracks" in words
    json.dumps(report.to_json(), allow_nan=False)
