"""Limits that the figures of a report must keep: a regression in continuous integration ends with an error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from perception.errors import UsageError
from perception.evaluation.comparison.figures import FIGURES, figures_of
from perception.evaluation.report.report import Report
from perception.taxonomy import CLASSES


@dataclass(frozen=True)
class Gate:
    """Each figure in ``least`` must be that large, each in ``most`` no larger; both by the names of ``FIGURES``."""

    least: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, *, fail_under: Sequence[str] = (), fail_over: Sequence[str] = ()) -> Gate:
        """Of texts such as "hota=0.5". Raises ``UsageError`` for another form, an unknown name, or one given twice."""
        return cls(_limits(fail_under, "fail_under"), _limits(fail_over, "fail_over"))

    def shortfalls(self, report: Report) -> list[str]:
        """What falls short, a clause each; a figure that the report does not have falls short, too."""
        figures = figures_of(report)
        found = []
        for limits, is_least in ((self.least, True), (self.most, False)):
            for name, limit in limits.items():
                value = figures.get(name)
                if value is None:
                    found.append(f"{name} could not be measured")
                elif value < limit if is_least else value > limit:
                    found.append(f"{name} is {value:.4g}, {'below' if is_least else 'above'} {limit:g}")
        return found


def _limits(texts: Sequence[str], option: str) -> dict[str, float]:
    limits: dict[str, float] = {}
    for text in texts:
        name, equals, number = (part.strip() for part in text.partition("="))
        try:
            limit = float(number)
        except ValueError:
            limit = math.nan
        if not equals or not math.isfinite(limit):
            raise UsageError("expected a figure and its limit, such as hota=0.5.", field=option, value=text)
        if name not in FIGURES:
            raise UsageError(f"no figure is called {name!r}; known are {_known()}.", field=option, value=text)
        if name in limits:
            raise UsageError(f"{name} is given twice; leave one of them out.", field=option, value=text)
        limits[name] = limit
    return limits


def _known() -> str:
    """All names; those of classes once."""
    common = [name for name in FIGURES if not any(name.endswith(f"_{label}") for label in CLASSES)]
    return f"{', '.join(common)}; and of a class, such as ap50_{CLASSES[0]} or hota_{CLASSES[-1]}"
