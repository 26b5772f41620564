"""Latency per stage."""

from __future__ import annotations

import pytest

from perception.evaluation.core.latency_statistics import StageTimes, evaluate_latency


def test_percentiles_and_total_without_the_warm_up() -> None:
    times = [{"detect": 1000.0, "track": 1000.0}] * 2 + [{"detect": float(ms), "track": 1.0} for ms in range(1, 102)]
    report = evaluate_latency(stage_ms=times, warmup_instant_count=2)
    detect = report.per_stage["detect"]
    assert (detect.p50_ms, detect.p95_ms, detect.p99_ms, detect.mean_ms) == pytest.approx((51.0, 96.0, 100.0, 51.0))
    assert report.total is not None
    assert report.total.p50_ms == pytest.approx(52.0)
    assert (report.instant_count, report.warmup_instant_count) == (101, 2)
    assert list(report.per_stage) == ["detect", "track"]


def test_a_given_total_is_taken_and_stages_may_be_missing() -> None:
    report = evaluate_latency(
        stage_ms=[{"detect": 5.0, "total": 9.0}, {"detect": 7.0, "draw": 1.0, "total": 11.0}], warmup_instant_count=0
    )
    assert report.total is not None
    assert report.total.mean_ms == 10.0
    assert (report.per_stage["detect"].instant_count, report.per_stage["draw"].instant_count) == (2, 1)
    assert "total" not in report.per_stage


def test_a_run_within_the_warm_up_has_no_figures() -> None:
    report = evaluate_latency(stage_ms=[{"detect": 5.0}] * 3)
    assert (report.total, report.per_stage, report.instant_count, report.warmup_instant_count) == (None, {}, 0, 3)


def test_rejects_impossible_times() -> None:
    with pytest.raises(ValueError, match="warmup_instant_count"):
        evaluate_latency(stage_ms=[], warmup_instant_count=-1)
    for wrong in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="detect"):
            evaluate_latency(stage_ms=[{"detect": wrong}], warmup_instant_count=0)


def test_stage_times_take_a_few_bytes_and_give_back_what_they_got():
    instants = [{"decode": 1.0, "detect": float(i)} if i % 3 else {"detect": float(i)} for i in range(50)]
    times = StageTimes()
    for stage_ms in instants:
        times.append(stage_ms)
    assert list(times) == instants and times[-1] == instants[-1] and times[5:9] == instants[5:9]
    assert evaluate_latency(stage_ms=times) == evaluate_latency(stage_ms=instants)


def test_a_stage_that_ran_at_the_start_alone_has_the_times_of_the_start() -> None:
    report = evaluate_latency(stage_ms=[{"detect": 50.0, "track": 1.0}, *[{"track": 2.0}] * 6], warmup_instant_count=5)
    detect, track = report.per_stage["detect"], report.per_stage["track"]
    assert (detect.p50_ms, detect.instant_count) == (50.0, 1)
    assert (track.p50_ms, track.instant_count) == (2.0, 2)
