"""What moved between the golden values and those of now, and the table that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import linear_sum_assignment

SHOWN = 20
"""The table has no more rows; the rest is counted."""

MATCH_IOU = 0.3
"""Boxes that overlap by less are two objects."""

METRICS = ("AP50", "HOTA", "IDF1", "FDE", "position error")
"""What the names of metrics begin with; the key of their tolerance."""

RELATIVE = ("FDE", "position error")
"""Their tolerance is a share of the golden value."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Moved:
    """One value that is not what it was.

    ``difference`` and ``tolerance`` are None where something is there or not, or has another name: such a row stands
    before all that only moved.
    """

    quantity: str
    where: str
    golden: str
    now: str
    difference: float | None = None
    tolerance: float | None = None

    @property
    def times_tolerance(self) -> float:
        if self.difference is None or not self.tolerance:
            return np.inf
        return self.difference / self.tolerance


def compare(golden: Row, now: Row, tolerances: Mapping[str, Row], *, name: str) -> list[Moved]:
    """All that moved by more than its tolerance in the input ``name``, the worst first."""
    limits = {quantity: float(tolerance["limit"]) for quantity, tolerance in tolerances.items()}
    found = [
        *_metrics(golden, now, limits),
        *_counts(golden, now),
        *_ids(golden, now),
        *_detections(golden, now, limits),
        *_tracks(golden, now, limits),
    ]
    named = [Moved(m.quantity, f"{name} {m.where}".strip(), m.golden, m.now, m.difference, m.tolerance) for m in found]
    return sorted(named, key=lambda moved: -moved.times_tolerance)


def as_table(moved: Sequence[Moved]) -> str:
    """What moved, as text: the worst rows, how many there are besides, and how many of each quantity."""
    table = Table("quantity", "where", "golden", "now", "difference", "tolerance", title="What moved")
    for row in moved[:SHOWN]:
        difference = "" if row.difference is None else f"{row.difference:.4g}"
        tolerance = "" if row.tolerance is None else f"{row.tolerance:g}"
        table.add_row(row.quantity, row.where, row.golden, row.now, difference, tolerance)
    console = Console(width=150, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(table)
        if len(moved) > SHOWN:
            console.print(f"and {len(moved) - SHOWN} more")
        quantities = [row.quantity for row in moved]
        by_count = sorted(set(quantities), key=lambda quantity: (-quantities.count(quantity), quantity))
        console.print("In all: " + ", ".join(f"{quantities.count(quantity)} x {quantity}" for quantity in by_count))
    return capture.get()


def _metrics(golden: Row, now: Row, limits: Mapping[str, float]) -> Iterator[Moved]:
    before, after = golden["metrics"], now["metrics"]
    for name in sorted({*before, *after}):
        if name not in before or name not in after:
            yield Moved(name, "", str(before.get(name, "-")), str(after.get(name, "-")))
            continue
        kind = next(kind for kind in METRICS if name.startswith(kind))
        limit = limits[kind] * (before[name] if kind in RELATIVE else 1.0)
        difference = abs(after[name] - before[name])
        if difference > limit:
            yield Moved(name, "", f"{before[name]:.4f}", f"{after[name]:.4f}", difference, limit)


def _counts(golden: Row, now: Row) -> Iterator[Moved]:
    before, after = golden["counts"], now["counts"]
    for index in sorted({*before, *after}):
        for camera in sorted({*before.get(index, {}), *after.get(index, {})}):
            sure, near = before.get(index, {}).get(camera, (0, 0))
            sure_now, near_now = after.get(index, {}).get(camera, (0, 0))
            # Those near the threshold may come and go, all others must be there before and after.
            if sure > sure_now + near_now or sure_now > sure + near:
                yield Moved("detection count", f"{index} {camera}", f"{sure}+{near}", f"{sure_now}+{near_now}")


def _ids(golden: Row, now: Row) -> Iterator[Moved]:
    before, after = golden["ids"], now["ids"]
    for index in sorted({*before, *after}):
        gone = set(before.get(index, [])) - set(after.get(index, []))
        new = set(after.get(index, [])) - set(before.get(index, []))
        if gone or new:
            yield Moved("track ids", str(index), _listed(gone), _listed(new))


def _listed(ids: set[int]) -> str:
    return "only " + " ".join(map(str, sorted(ids))) if ids else "-"


def _detections(golden: Row, now: Row, limits: Mapping[str, float]) -> Iterator[Moved]:
    surely = golden["conf"] + limits["score"]
    for index, before, after in _rows(golden, now, "detections"):
        pairs, lost, new = match(before, after)
        for row in [row for row in lost if row["score"] >= surely]:
            yield Moved("detection", f"{index} {row['camera']}", _named(row), "-")
        for row in [row for row in new if row["score"] >= surely]:
            yield Moved("detection", f"{index} {row['camera']}", "-", _named(row))
        for old, new_row in pairs:
            where = f"{index} {old['camera']} {_named(old)}"
            if old["label"] != new_row["label"]:
                yield Moved("detection label", where, old["label"], new_row["label"])
            yield from _shift("detection score, 0..1", where, [old["score"]], [new_row["score"]], limits["score"])
            yield from _shift("detection box, px", where, old["box"], new_row["box"], limits["box_px"])


def _tracks(golden: Row, now: Row, limits: Mapping[str, float]) -> Iterator[Moved]:
    unit = "m" if golden["frame"] == "ground" else "px"
    for index, before, after in _rows(golden, now, "tracks"):
        pairs, lost, new = match(before, after)
        for row in lost:
            yield Moved("track", f"{index} {row['camera']}", f"{row['id']}: {_named(row)}", "-")
        for row in new:
            yield Moved("track", f"{index} {row['camera']}", "-", f"{row['id']}: {_named(row)}")
        for old, new_row in pairs:
            where = f"{index} {old['camera']} track {old['id']}"
            for key in ("id", "label"):
                if old[key] != new_row[key]:
                    yield Moved(f"track {key}", f"{where} {_named(old)}", str(old[key]), str(new_row[key]))
            yield from _shift("track box, px", where, old["box"], new_row["box"], limits["box_px"])
            for key, said in (("place", "place"), ("in_1_s", "forecast at 1 s"), ("at_end", "forecast at its end")):
                limit = limits[f"{'place' if key == 'place' else 'forecast'}_{unit}"]
                yield from _shift(f"{said}, {unit}", where, old[key], new_row[key], limit)


def _rows(golden: Row, now: Row, key: str) -> Iterator[tuple[int, list[Row], list[Row]]]:
    for index in sorted({*golden[key], *now[key]}):
        yield index, golden[key].get(index, []), now[key].get(index, [])


def _shift(quantity: str, where: str, before: Sequence[float], after: Sequence[float], limit: float) -> Iterator[Moved]:
    """The largest difference of a number."""
    difference = float(np.abs(np.subtract(before, after)).max())
    if difference > limit:
        yield Moved(quantity, where, _numbers(before), _numbers(after), difference, limit)


def _named(row: Row) -> str:
    return f"{row['label']} at {_numbers(row['box'])}"


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" for value in values)


def match(before: Sequence[Row], after: Sequence[Row]) -> tuple[list[tuple[Row, Row]], list[Row], list[Row]]:
    """One-to-one by overlap within a camera: pairs, rows only before, rows only after."""
    if not before or not after:
        return [], list(before), list(after)
    overlaps = _iou(np.array([row["box"] for row in before]), np.array([row["box"] for row in after]))
    overlaps *= [[old["camera"] == new["camera"] for new in after] for old in before]
    # One box may stand there twice, as a car and as a truck, and two tracks may share one place.
    alike = [[(old["label"] == new["label"]) + (old.get("id") == new.get("id")) for new in after] for old in before]
    chosen = [
        (int(i), int(j))
        for i, j in zip(*linear_sum_assignment(overlaps + 0.1 * np.array(alike), maximize=True), strict=True)
        if overlaps[i, j] >= MATCH_IOU
    ]
    matched_before, matched_after = {i for i, _ in chosen}, {j for _, j in chosen}
    return (
        [(before[i], after[j]) for i, j in chosen],
        [row for i, row in enumerate(before) if i not in matched_before],
        [row for j, row in enumerate(after) if j not in matched_after],
    )


def _iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Overlaps (A, B) of boxes (A, 4) and (B, 4); our own, so that a fault in the package's does not hide itself."""
    inner = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    shared = inner.clip(0).prod(axis=2)
    areas_a, areas_b = (a[:, 2:] - a[:, :2]).prod(axis=1), (b[:, 2:] - b[:, :2]).prod(axis=1)
    overlaps: NDArray[np.float64] = shared / np.maximum(areas_a[:, None] + areas_b[None] - shared, 1e-9)
    return overlaps
