"""Recall by class, size, distance, visibility and light, in bins counted by hand."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from rich.console import Console
from support.evaluation_tables import table

from perception.evaluation.failures.classify import MatchedDetections
from perception.evaluation.failures.recall_breakdown import (
    DARK_BELOW,
    DIM_BELOW,
    Conditions,
    RecallBreakdown,
    RecallCounts,
    break_down_recall,
)
from perception.evaluation.report.console_breakdown import print_breakdown

HEIGHTS_PX = (15.9, 16.0, 31.0, 64.0, 128.0, 500.0)
FOUND = (False, True, False, True, True, False)


def matched() -> MatchedDetections:
    """Six objects of the ``HEIGHTS_PX``, each in its own frame; the first four are cars, the others pedestrians."""
    truth = table(
        [(frame, frame, (0, 0, 10, height)) for frame, height in enumerate(HEIGHTS_PX)], labels=[0, 0, 0, 0, 5, 5]
    )
    return MatchedDetections(truth, np.array(FOUND), table([]))


def broken_down(*conditions: Conditions) -> RecallBreakdown:
    return break_down_recall([RecallCounts.of(one) for one in conditions], grouping="both", score_threshold=0.25)


def counts(breakdown: RecallBreakdown, factor: str) -> dict[str, tuple[int, int]]:
    return {part.name: (part.object_count, part.found_count) for part in breakdown.factors[factor]}


def test_class_and_height_are_always_known_and_empty_bins_are_left_out() -> None:
    breakdown = broken_down(Conditions.of(matched()))
    assert set(breakdown.factors) == {"class", "height"}
    assert counts(breakdown, "class") == {"car": (4, 2), "pedestrian": (2, 1)}
    # A bin begins with its lower edge; there is none of 32 to 64 pixels.
    assert counts(breakdown, "height") == {
        "< 16 px": (1, 0), "16-32 px": (2, 1), "64-128 px": (1, 1), "≥ 128 px": (2, 1)
    }  # fmt: skip
    assert [part.recall for part in breakdown.factors["height"]] == [0.0, 0.5, 1.0, 0.5]
    assert (breakdown.overall.object_count, breakdown.overall.recall) == (6, 0.5)


def test_distances_that_are_not_known_are_a_bin_of_their_own() -> None:
    distances_m = np.array([0.0, 9.99, 10.0, 80.0, 1e4, np.nan])
    breakdown = broken_down(Conditions.of(matched(), distances_m=distances_m))
    assert counts(breakdown, "distance") == {"0-10 m": (2, 1), "10-20 m": (1, 0), "> 80 m": (2, 2), "unknown": (1, 0)}
    assert "distance" not in broken_down(Conditions.of(matched(), distances_m=np.full(6, np.nan))).factors


def test_visible_shares() -> None:
    cases = matched()
    truth = replace(cases.truth, visible_shares=np.array([0.0, 0.3, 0.5, 0.74, 0.75, 1.0]))
    breakdown = broken_down(Conditions.of(replace(cases, truth=truth)))
    assert counts(breakdown, "visible") == {
        "< 30 %": (1, 0), "30-50 %": (1, 1), "50-75 %": (2, 1), "75-100 %": (2, 1)
    }  # fmt: skip


def test_light_is_that_of_the_picture() -> None:
    brightness = {("front", 0): 0.0, ("front", 1): DARK_BELOW, ("front", 2): DIM_BELOW, ("front", 3): 1.0}
    breakdown = broken_down(Conditions.of(matched(), brightness=brightness))
    assert counts(breakdown, "light") == {"dark": (1, 0), "dim": (1, 1), "bright": (2, 1), "unknown": (2, 1)}


def test_what_the_left_right_or_lower_border_cuts_off() -> None:
    cases = matched()
    boxes = np.array([[0, 9, 20, 30], [50, 0, 60, 30], [80, 9, 99, 30], [9, 9, 30, 49], [9, 9, 30, 40], [9, 9, 30, 40]])
    truth = replace(cases.truth, boxes_xyxy_px=boxes.astype(float), frame_indices=np.array([0, 0, 0, 0, 0, 1]))
    breakdown = broken_down(Conditions.of(replace(cases, truth=truth), sizes_px={("front", 0): (100, 50)}))
    (cut_off, whole, unknown) = breakdown.factors["border"]
    assert (cut_off.name, cut_off.object_count) == ("cut off", 3)
    assert (whole.name, whole.object_count) == ("whole", 2)
    assert (unknown.name, unknown.object_count) == ("unknown", 1)
    assert "border" not in broken_down(Conditions.of(cases)).factors


def test_several_recordings_are_counted_together() -> None:
    known = Conditions.of(matched(), distances_m=np.full(6, 5.0))
    breakdown = broken_down(known, Conditions.of(matched()))
    assert counts(breakdown, "distance") == {"0-10 m": (6, 3), "unknown": (6, 3)}
    assert breakdown.overall.object_count == 12


def test_without_objects() -> None:
    assert broken_down(Conditions.of(MatchedDetections(table([]), np.zeros(0, bool), table([])))) is None


def test_the_printed_table_fits_into_80_columns_and_states_how_many_objects() -> None:
    stream = io.StringIO()
    print_breakdown(broken_down(Conditions.of(matched())), Console(file=stream, width=80))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    (car,) = [line for line in lines if "car" in line]
    assert car.split()[:5] == ["Class", "car", "4", "2", "50.0"]
