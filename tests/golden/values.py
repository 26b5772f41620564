"""The golden values of a run as plain numbers, and the file that keeps them: one row per object, so that a diff reads.

Counts and ids are pinned at every instant, boxes and forecasts at every fifth one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from golden.project import Run

VALUES_FILE = Path(__file__).parent / "values.yaml"

EVERY = 5
"""Boxes and forecasts are pinned at every so many instants."""

HEADER = (
    "# Written by `make golden`, read by the tests beside it; README.md says how. Only tolerances are edited by hand.",
    "# Ids, classes, cameras and the numbers of detections have none: they are the same, or something moved.",
)

Plain = dict[str, Any]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Dumper(yaml.SafeDumper):
    """Writes a list that stands in two places twice, without a reference from one to the other."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def golden_values(run: Run, *, score_tolerance: float, with_metrics: bool = True) -> Plain:
    """The values of one input, ready to be written.

    ``counts`` has for each camera how many detections it shows for sure, and how many more that score within
    ``score_tolerance`` of the reporting threshold.
    """
    metrics = run.metrics if with_metrics else {}
    surely = run.config.conf + score_tolerance
    return {
        "frame": run.input.frame,
        "conf": run.config.conf,
        "metrics": {name: round(value, 5) for name, value in metrics.items()},
        "counts": {
            index: {
                found.camera: [int((found.scores >= surely).sum()), int((found.scores < surely).sum())]
                for found in instant.found
            }
            for index, instant in enumerate(run.instants)
        },
        "ids": {index: [track.id for track in instant.followed] for index, instant in enumerate(run.instants)},
        "detections": {
            index: [
                {"camera": found.camera, "label": label, "score": round(float(score), 4), "box": _rounded(box, 2)}
                for found in instant.found
                for label, score, box in zip(found.labels, found.scores, found.boxes, strict=True)
            ]
            for index, instant in enumerate(run.instants)
            if index % EVERY == 0
        },
        "tracks": {
            index: [
                {
                    "id": track.id,
                    "label": track.label,
                    "camera": track.camera,
                    "box": _rounded(track.box, 2),
                    "place": _rounded(track.place, 3),
                    "in_1_s": _rounded(track.in_one_second, 3),
                    "at_end": _rounded(track.at_the_end, 3),
                }
                for track in instant.followed
            ]
            for index, instant in enumerate(run.instants)
            if index % EVERY == 0
        },
    }


def read_values(path: Path = VALUES_FILE) -> Plain:
    """The whole file: ``tolerances``, ``history`` and ``inputs``."""
    values: Plain = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    return values


def write_values(values: Plain, path: Path = VALUES_FILE) -> None:
    """What ``read_values`` reads again, unchanged."""
    lines = [*HEADER]
    for name in ("tolerances", "history"):
        lines += ["", *yaml.safe_dump({name: values[name]}, sort_keys=False, width=118).splitlines()]
    lines += ["", "inputs:"]
    for name, of_input in values["inputs"].items():
        lines += [f"  {name}:", *_indented(_input_lines(of_input), 4)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _input_lines(values: Plain) -> list[str]:
    lines = [f"{name}: {values[name]}" for name in ("frame", "conf")]
    lines += ["metrics:", *(f"  {name}: {value}" for name, value in values["metrics"].items())]
    for name in ("counts", "ids"):
        lines += [f"{name}:", *(f"  {index}: {_flow(row)}" for index, row in values[name].items())]
    for name in ("detections", "tracks"):
        lines.append(f"{name}:")
        for index, rows in values[name].items():
            lines += [f"  {index}:", *(f"  - {_flow(row)}" for row in rows)] if rows else [f"  {index}: []"]
    return lines


def _flow(value: Mapping[str, Any] | list[Any]) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, sort_keys=False, width=10_000)
    return text.strip()


def _indented(lines: Iterable[str], by: int) -> list[str]:
    return [" " * by + line for line in lines]


def _rounded(values: Any, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]
