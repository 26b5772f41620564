"""All figures of a report as a table of two columns, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NAMES = ("grouping", "setting", "horizon_s", "time_s", "title", "name")
"""What an item of a list is called by; else by its number."""

_POINTS = ("curves", "scenes", "failures", "worst")
"""Curves of many points, and what is no figure."""


def report_csv(report: Mapping[str, Any]) -> str:
    """Lines ``figure,value`` of ``report``, which is the content of ``report.json``.

    A figure's name is its path there, such as ``detection.vehicles.overall.ap50``; a figure that is not defined has an
    empty value. Texts, curves of many points and the lists of frames are left out.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["figure", "value"])
    writer.writerows(_figures(report, ()))
    return stream.getvalue()


def _figures(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key not in _POINTS:
                yield from _figures(item, (*path, str(key)))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, item in enumerate(value):
            yield from _figures(item, (*path, _name_of(item, number)))
    elif not isinstance(value, str):
        yield ".".join(path), "" if value is None else value


def _name_of(item: Any, number: int) -> str:
    names = [item[key] for key in _NAMES if key in item] if isinstance(item, Mapping) else []
    return str(names[0]).replace(" ", "_") if names else str(number)
