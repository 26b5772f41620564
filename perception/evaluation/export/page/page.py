"""``report.html``: one file for readers of all kinds, which loads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from perception.evaluation.detection.confusion import ConfusionMatrix
from perception.evaluation.export.page.detection_figures import detection_figures, recall_figures
from perception.evaluation.export.page.figures import Figure
from perception.evaluation.export.page.forecast_figures import forecast_figures
from perception.evaluation.export.page.key_figures import key_figures
from perception.evaluation.export.page.pictures import Album, ReportPictures
from perception.evaluation.export.page.track_figures import latency_figures, localization_figures, tracking_figures
from perception.evaluation.failures.scenes import SceneKind
from perception.evaluation.report.report import Report
from perception.evaluation.report.sections import Cell, Section, sections_of

_STYLES = {"bold green": "better", "bold red": "worse", "yellow": "unclear"}
"""What the console's colours are called in the style sheet."""


@dataclass(frozen=True)
class Chapter:
    """A part of the page: figures first, then the tables of the console on the same matter.

    Tables that say what the figures say are folded away; frames of ``scenes`` are examples of all figures.
    """

    anchor: str
    title: str
    figures: tuple[Figure, ...]
    sections: tuple[Section, ...]
    confusion: ConfusionMatrix | None = None
    scenes: tuple[SceneKind, ...] = ()
    is_folded: bool = False


def report_page(
    report: Report,
    *,
    run: Mapping[str, Any] | None = None,
    measured: Mapping[str, Any] | None = None,
    pictures: ReportPictures | None = None,
) -> str:
    """The page of ``report`` as HTML; ``run`` is the content of the run's ``run.yaml``, ``measured`` that of the
    finished run that was measured.

    Pictures that have no room in 5 MB are left out, the last ones first, which the page then says.
    """
    given = pictures or ReportPictures()
    album = Album()
    scenes = album.scene_shots(report.scenes, given.scenes)
    failures = album.failure_shots(report.failures, given.failures)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["style_of"] = _style_of
    environment.filters["shade"] = _shade
    environment.tests["total"] = _is_total
    return environment.get_template("report.html.jinja").render(
        report=report,
        summary=report.summary(),
        key_figures=key_figures(report),
        chapters=list(_chapters(report)),
        scenes=scenes,
        failures=failures,
        failure_count=len(report.failures),
        run=run or {},
        measured=measured or {},
    )


def _chapters(report: Report) -> Iterator[Chapter]:
    """Those that have something to show. A section belongs to the first chapter whose word its name begins with."""
    ground = report.ground
    figures: dict[str, tuple[tuple[str, ...], Iterator[Figure]]] = {
        "Detection": (("Detection",), detection_figures(report)),
        "Recall by condition": (("Recall",), recall_figures(report.breakdown)),
        "Tracking": (("Tracking", "Cross-camera"), tracking_figures(report)),
        "Localization": (("Localization",), localization_figures(None if ground is None else ground.localization)),
        "Forecasting": (("Forecasting",), forecast_figures(report)),
        "Recordings": (("Each recording",), iter(())),
        "Latency": (("Latency",), latency_figures(report.latency)),
        "Further figures": (("",), iter(())),
    }
    left = sections_of(report)
    for title, (words, drawn) in figures.items():
        own = [section for section in left if section.name.startswith(words)]
        left = [section for section in left if section not in own]
        shown = tuple(drawn)
        if own or shown:
            anchor, is_recall = title.lower().replace(" ", "-"), title == "Recall by condition"
            yield Chapter(
                anchor,
                title,
                shown,
                tuple(own),
                confusion=report.confusion if title == "Detection" else None,
                scenes=("worst",) if is_recall else (),
                is_folded=is_recall,
            )


def _style_of(cell: Cell) -> str:
    return _STYLES.get(cell.style, "")


def _is_total(row: tuple[Cell, ...]) -> bool:
    """Whether a row is of all others together: the console shows its name alone in bold."""
    return row[0].style == "bold" and row[0].text.lower() in ("all", "total")


def _shade(count: int, row: tuple[int, ...]) -> int:
    """How strongly a cell of the confusion matrix is shaded, in percent of the accent colour."""
    return round(35 * count / max(sum(row), 1))
