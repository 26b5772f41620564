"""Limits on figures: what falls short is named, and a name that does not exist is an error."""

from __future__ import annotations

import numpy as np
import pytest
from support.ground_runs import SyntheticDrive, line, straight_on

from perception.errors import UsageError
from perception.evaluation.comparison.figures import FIGURES, figures_of
from perception.evaluation.comparison.gate import Gate
from perception.evaluation.report.count import EvalConfig
from perception.evaluation.report.evaluate import evaluate_run
from perception.evaluation.report.report import Report


@pytest.fixture(scope="module")
def report() -> Report:
    """One car that is tracked without an error, and another that is never found."""
    drive = SyntheticDrive({1: line((1.0, 0.0), (10.0, 0.0)), 2: line((0.0, 0.0), (-10.0, 0.0))}, instants=60)
    run = drive.evaluated(drive.scenes(found=lambda instant, identity: identity == 1, forecast=straight_on))
    return evaluate_run(run, config=EvalConfig(score_threshold=0.25), rng=np.random.default_rng(0))


def test_figures_are_those_of_the_report(report: Report) -> None:
    figures = figures_of(report)
    assert report.ground is not None
    tracking = report.ground.tracking[0].overall
    assert (figures["hota"], figures["idf1"]) == (tracking.hota, tracking.idf1)
    assert figures["recall"] == figures["recall_car"] == pytest.approx(0.5)
    horizon = next(scores for scores in report.ground.forecasting[0].horizons if scores.horizon_s == 3)
    assert horizon.expected is not None
    assert horizon.best_of_k is not None
    assert (figures["fde_3s_m"], figures["minfde_3s_m"]) == (horizon.expected.fde_m, horizon.best_of_k.fde_m)
    assert not any(name.endswith("_px") for name in figures)
    assert FIGURES["fde_3s_m"].lower_is_better and not FIGURES["hota"].lower_is_better


def test_limits_that_are_kept_say_nothing(report: Report) -> None:
    value = figures_of(report)["hota"]
    gate = Gate.parse(fail_under=[f"hota={value!r}", "recall = 0.5"], fail_over=["fde_3s_m=0.1"])
    assert gate.shortfalls(report) == []


def test_what_falls_short_is_named_with_its_value(report: Report) -> None:
    gate = Gate.parse(fail_under=["recall=0.75", "fde_2s_px=0"], fail_over=["recall=0.25"])
    assert gate.shortfalls(report) == [
        "recall is 0.5, below 0.75",
        "fde_2s_px could not be measured",
        "recall is 0.5, above 0.25",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hota", "such as hota=0.5"),
        ("hota=much", "such as hota=0.5"),
        ("hota=nan", "such as hota=0.5"),
        ("hotta=0.5", "known are ap, ap50"),
        ("ap_lorry=0.5", "ap50_car"),
    ],
)
def test_other_texts_are_errors(text: str, words: str) -> None:
    for option in ("fail_under", "fail_over"):
        with pytest.raises(UsageError, match=words) as raised:
            Gate.parse(**{option: [text]})
        assert raised.value.field == option
    with pytest.raises(UsageError, match="given twice"):
        Gate.parse(fail_under=["hota=0.1", "hota=0.2"])
