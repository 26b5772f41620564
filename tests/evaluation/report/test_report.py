"""The report as JSON and on the console."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from support.evaluation_tables import disturbed, random_table, table
from support.forecast_runs import go_on, records_of, stay, timestamps_ns, truth_of, turning

from perception.evaluation.core.latency_statistics import evaluate_latency
from perception.evaluation.core.records import ImageAdeFde
from perception.evaluation.detection.average_precision import evaluate_detection
from perception.evaluation.forecasting.image import evaluate_forecasts
from perception.evaluation.report.console import print_report
from perception.evaluation.report.report import Report
from perception.evaluation.tracking.image import evaluate_tracking

BOX = (0.0, 0.0, 20.0, 20.0)


@pytest.fixture(scope="module")
def full_report() -> Report:
    rng = np.random.default_rng(0)
    truth = random_table(rng, frames=60, objects=40, labels=range(6))
    found = disturbed(rng, truth, jitter_px=3.0)
    paths = {identity: turning(40.0 * identity, (9.0, 40.0 * identity)) for identity in range(1, 9)}
    moving = truth_of(paths)
    forecasts = tuple(
        evaluate_forecasts(
            records=records_of(moving, forecast, stds_px=4.0, probabilities=(0.5, 0.5), offsets_px=(-3.0, 4.0)),
            truth=moving,
            frame_timestamps_ns=timestamps_ns(40),
            setting=setting,
            rng=rng,
            horizons_s=(1.0, 2.0, 3.0, 4.0),
        )
        for setting, forecast in (("tracked", stay), ("ground-truth tracks", go_on))
    )
    times = [{"detection": 1234.5, "tracking": 2.0, "forecasting": 3.25, "drawing_of_everything": 4.0}] * 20
    return Report(
        title="Recording motorway (front), detector roadnet-s",
        detection=tuple(
            evaluate_detection(truth=truth, detections=found, grouping=grouping, min_height_px=25)
            for grouping in ("vehicles", "each")
        ),
        tracking=tuple(
            evaluate_tracking(truth=truth, tracks=found, grouping=grouping) for grouping in ("vehicles", "each")
        ),
        forecasting=forecasts,
        latency=evaluate_latency(stage_ms=times),
        notes=("Scores are against linked boxes.",),
    )


def printed(report: Report, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    print_report(report, console)
    return console.export_text()


def test_json_is_whole_and_strict(full_report: Report) -> None:
    plain = json.loads(json.dumps(full_report.to_json(), allow_nan=False))
    assert plain["summary"] == full_report.summary()
    assert plain["tracking"][0]["overall"]["hota"] == full_report.tracking[0].overall.hota
    assert plain["forecasting"][0]["horizons"][1]["baselines"]["CV Kalman"]["fde_px"] >= 0
    assert len(plain["forecasting"][0]["horizons"][1]["fde_comparison"]["ratio_interval"]) == 2
    assert plain["latency"]["per_stage"]["detection"]["p95_ms"] == 1234.5


def test_json_has_none_for_what_is_not_defined() -> None:
    nothing = table([])
    truth = table([(0, 1, BOX)])
    report = Report(
        title="empty",
        detection=(evaluate_detection(truth=truth, detections=nothing),),
        tracking=(evaluate_tracking(truth=truth, tracks=nothing),),
        latency=replace(evaluate_latency(stage_ms=[{"a": 1.0}] * 9), warmup_instant_count=5),
    )
    plain = report.to_json()
    json.dumps(plain, allow_nan=False)
    assert plain["detection"][0]["overall"]["precision"] is None
    assert plain["tracking"][0]["overall"]["motp"] is None
    assert plain["forecasting"] == []
    total = report.latency.total if report.latency else None
    assert total is not None
    broken = replace(report, latency=replace(report.latency, total=replace(total, mean_ms=float("nan"))))
    assert broken.to_json()["latency"]["total"]["mean_ms"] is None


@pytest.mark.parametrize("width", [80, 100, 120])
def test_nothing_is_cut_off(full_report: Report, width: int) -> None:
    text = printed(full_report, width)
    assert "…" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    for wanted in (
        "at 0.5 FP",
        "pedestrian",
        "Switch",
        "of 2",
        "Model / best",
        "drawing_of_everything",
        "1,234.5",
        "do not reach 4 s",
        "Scores are against linked boxes.",
        "objects less than 25 px high ignored",
    ):
        assert wanted in " ".join(text.split()), wanted
    # A number stays in one piece: each ratio with its interval is on one line.
    ratio = full_report.forecasting[1].horizons[0].fde_comparison
    assert ratio is not None
    assert ratio.ratio_interval is not None
    low, high = ratio.ratio_interval
    assert f"{ratio.ratio:.2f} [{low:.2f}, {high:.2f}]" in text


def test_large_numbers_fit_in_80_columns(full_report: Report) -> None:
    def enlarged(errors: ImageAdeFde | None) -> ImageAdeFde | None:
        return replace(errors, ade_px=1234.56, fde_px=1234.56) if errors is not None else None

    tracking = full_report.tracking[1]
    forecasting = full_report.forecasting[0]
    large = {
        "false_positive_count": 123_456,
        "false_negative_count": 123_456,
        "id_switch_count": 12_345,
        "mota": -12.34,
    }
    report = replace(
        full_report,
        tracking=(replace(tracking, overall=replace(tracking.overall, **large)),),
        forecasting=(
            replace(
                forecasting,
                future_count=20,
                horizons=tuple(
                    replace(
                        scores,
                        target_count=123_456,
                        expected=enlarged(scores.expected),
                        best_of_k=enlarged(scores.best_of_k),
                        baselines={name: enlarged(errors) for name, errors in scores.baselines.items()},
                    )
                    for scores in forecasting.horizons
                ),
            ),
        ),
    )
    text = printed(report, 80)
    assert "…" not in text
    for number in ("123,456", "-1234.0", "1235*", "12,345"):
        assert number in text


def test_colour_separates_better_from_worse(full_report: Report) -> None:
    console = Console(width=100, file=io.StringIO(), force_terminal=True, color_system="standard")
    print_report(full_report, console)
    coloured = console.file.getvalue()  # type: ignore[attr-defined]
    still = full_report.forecasting[0].horizons[0]
    assert still.fde_comparison is not None
    assert still.fde_comparison.is_worse
    assert f"\x1b[1;31m{still.fde_comparison.ratio:.2f} [" in coloured


def test_summary_speaks_plainly(full_report: Report) -> None:
    said = full_report.summary()
    recall = full_report.detection[0].overall.recall
    assert recall is not None
    assert said.startswith(f"Finds {recall:.0%} of the vehicles")
    assert "farther off than the best baseline" in said
    assert "ms per instant" in said
    assert Report(title="nothing").summary() == "Nothing could be evaluated."


def test_an_empty_report_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Nothing could be evaluated." in printed(Report(title="nothing"), 80)


def test_titles_and_names_are_not_read_as_markup(full_report: Report) -> None:
    assert "[red]clip[/].mp4" in printed(replace(full_report, title="[red]clip[/].mp4"), 80)
