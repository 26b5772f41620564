"""What the bundled weights find, follow and forecast is what it was; a tracker with one other threshold is seen."""

from __future__ import annotations

import pytest
from golden.comparing import as_table, compare
from golden.project import INPUTS, Input, Run, run_input
from golden.values import Plain, golden_values, read_values

ACCEPT = 'Where this is meant: make golden REASON="..."'

CHANGED = {
    "clip": [{"spawn_score": 0.5}, {"min_hits": 3, "confirm_s": 0.2}, {"min_iou": 0.4}, {"coast_s": 0.1}],
    "drive": [{"spawn_score": 0.55}, {"gate": 4.0, "overlap_gate": 16.0}],
}


@pytest.fixture(scope="module", params=INPUTS, ids=lambda which: which.name)
def run(request: pytest.FixtureRequest) -> Run:
    """Computed once per input: tests of one input follow one another."""
    which: Input = request.param
    return run_input(which)


def values_of(run: Run, golden: Plain, *, with_metrics: bool) -> Plain:
    tolerance = golden["tolerances"]["score"]["limit"]
    return golden_values(run, score_tolerance=tolerance, with_metrics=with_metrics)


def test_the_bundled_weights_give_the_golden_values(run: Run) -> None:
    golden, name = read_values(), run.input.name
    now = values_of(run, golden, with_metrics=True)
    moved = compare(golden["inputs"][name], now, golden["tolerances"], name=name)
    if moved:
        pytest.fail(f"{as_table(moved)}\n{ACCEPT}", pytrace=False)


def test_a_changed_threshold_of_the_tracker_is_seen(run: Run) -> None:
    """The tracker sees the same detections again; what it makes of them is held against the golden values."""
    golden, name = read_values(), run.input.name
    wanted = {**golden["inputs"][name], "metrics": {}}
    for settings in ({}, *CHANGED[name]):
        now = values_of(run.with_tracker(**settings), golden, with_metrics=False)
        moved = compare(wanted, now, golden["tolerances"], name=name)
        assert bool(moved) == bool(settings), f"{settings}\n{as_table(moved)}"
        assert {row.quantity for row in moved} & {"track ids", "track", "track id"} or not settings
