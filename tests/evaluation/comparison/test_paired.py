"""Runs side by side: the same run does not differ, a worse one does, and where it does is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.ground_runs import SyntheticDrive, line, straight_on

from perception.errors import UsageError
from perception.evaluation.comparison.paired import Comparison, compare_runs
from perception.evaluation.comparison.units import make_units, part_of
from perception.evaluation.report.count import EvalConfig
from perception.evaluation.runs.evaluated_run import EvaluatedRun

CONFIG = EvalConfig(score_threshold=0.25)


def _drive(seed: int, *, lost_from: int = 1000, lost_until: int = 1000, error_m: float = 0.0) -> EvaluatedRun:
    """Three cars; the second is not found at the instants from ``lost_from`` to before ``lost_until``."""
    rng = np.random.default_rng(seed)
    paths = {key: line(tuple(rng.normal(0, 1, 2)), (12.0 * key, 3.0 * key - 6.0)) for key in (1, 2, 3)}
    drive = SyntheticDrive(paths, instants=60)
    scenes = drive.scenes(
        found=lambda instant, key: not (key == 2 and lost_from <= instant < lost_until),
        error_m=lambda offsets: np.full_like(offsets, error_m),
        forecast=straight_on,
    )
    return drive.evaluated(scenes, title=f"drive {seed}")


def _compare(*runs: dict[str, EvaluatedRun], segment_s: float = 1.0) -> Comparison:
    units = make_units(runs, segment_s=segment_s)
    return compare_runs(["a", *"bcd"[: len(runs) - 1]], units, config=CONFIG, rng=np.random.default_rng(0))


def test_a_run_does_not_differ_from_itself() -> None:
    run = {"one": _drive(1)}
    (compared,) = _compare(run, run).runs
    assert compared.images == ()
    assert {"hota", "recall", "fde_1s_m"} <= set(compared.figures)
    for figure in compared.figures.values():
        assert (figure.reference, figure.difference) == (figure.run, 0.0)
        assert figure.interval == (0.0, 0.0)
        assert not figure.is_better and not figure.is_worse


def test_segments_of_one_recording_show_where_it_is_worse() -> None:
    comparison = _compare({"one": _drive(1)}, {"one": _drive(1, lost_from=30, lost_until=45)})
    assert comparison.kind == "segments of 1 s"
    assert comparison.parts == ("0-1 s", "1-2 s", "2-3 s", "3-4 s", "4-5 s", "5-6 s")
    (compared,) = comparison.runs
    recall = compared.figures["recall"]
    # Half of the six seconds have all boxes, one lost a third of them, one a sixth.
    assert recall.part_count == 6
    assert recall.difference == pytest.approx(-(1 / 3 + 1 / 6) / 6, abs=0.01)
    assert recall.reference - recall.run == pytest.approx(15 / 180, abs=0.01)
    assert {image.difference for image in compared.images} == {1}
    frames = {image.frame_index for image in compared.images}
    assert frames <= set(range(30, 45)) and len(compared.images) == 10


def test_recordings_are_compared_in_pairs_and_others_left_out() -> None:
    reference = {f"{seed}": _drive(seed) for seed in range(5)}
    worse = {f"{seed}": _drive(seed, lost_from=10, lost_until=20 + 4 * seed) for seed in range(4)}
    comparison = _compare(reference, worse)
    assert (comparison.kind, comparison.parts) == ("recordings", ("0", "1", "2", "3"))
    (compared,) = comparison.runs
    recall = compared.figures["recall"]
    lost = np.array([10, 14, 18, 22]) / 180
    assert recall.difference == pytest.approx(-lost.mean())
    low, high = recall.interval or (0, 0)
    assert -lost.max() <= low < recall.difference < high <= -lost.min()
    assert recall.is_worse and not recall.is_better
    (turned,) = _compare(worse, reference).runs
    assert turned.figures["recall"].is_better


def test_lower_is_better_for_errors() -> None:
    exact, rough = ({"one": _drive(1, error_m=error_m)} for error_m in (0.0, 1.0))
    (compared,) = _compare(exact, rough).runs
    position = compared.figures["position_m"]
    assert position.difference == pytest.approx(np.hypot(1, 1), abs=0.05)
    assert position.is_worse


def test_only_instants_that_all_runs_have_are_compared() -> None:
    run = _drive(1)
    comparison = _compare({"one": run}, {"one": part_of(run, range(0, 60, 2))})
    assert comparison.left_out_instant_count == 30
    assert all(figure.difference == 0 for figure in comparison.runs[0].figures.values())
    with pytest.raises(UsageError, match="share no instant"):
        make_units([{"one": part_of(run, [0, 2])}, {"one": part_of(run, [1, 3])}], segment_s=1.0)
    with pytest.raises(UsageError, match="different recordings"):
        make_units([{"one": run}, {"two": run}], segment_s=1.0)


def test_detection_is_compared_where_both_detectors_looked() -> None:
    """A detector that looks at every second instant neither misses nor finds anything in between."""
    run = _drive(1)
    records = tuple(
        record if record.frame_index % 2 == 0 else replace(record, detected_cameras=()) for record in run.run.records
    )
    resting = replace(run, run=replace(run.run, records=records))
    for pair in ((run, resting), (resting, run)):
        comparison = _compare(*({"one": each} for each in pair))
        (compared,) = comparison.runs
        assert comparison.left_out_image_count == len(run.images) // 2
        assert compared.images == ()
        assert compared.figures["recall"].difference == 0
