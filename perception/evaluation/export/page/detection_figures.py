"""Figures on what the detector finds: precision over recall, and recall by what makes objects hard to see."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from perception.errors import counted
from perception.evaluation.detection.average_precision import DetectionReport, PrecisionRecallCurve
from perception.evaluation.export.page.bar_chart import Bar, bar_chart
from perception.evaluation.export.page.figures import Figure, percent
from perception.evaluation.export.page.line_chart import Line, Mark, line_chart
from perception.evaluation.export.page.svg import LETTER_PX, share_axis
from perception.evaluation.failures.recall_breakdown import RecallBin, RecallBreakdown
from perception.evaluation.report.console_layout import COUNTED_AS
from perception.evaluation.report.report import Report

_SMALL_PX = (216.0, 190.0)
_FACTOR_TITLES = {
    "class": "By class",
    "height": "By height of the box",
    "distance": "By distance",
    "visible": "By visible share",
    "border": "At the picture's border",
    "light": "By light",
}


def detection_figures(report: Report) -> Iterator[Figure]:
    """One chart for each class, of all ways of counting classes."""
    curves = [(part, name, curve) for part in report.detection for name, curve in part.curves.items()]
    if not curves:
        return
    score = report.detection[0].score_threshold
    yield Figure(
        title="Precision over recall",
        caption=(
            "Of what is reported down to each score, the share that is right, over the share of objects found. Solid: "
            "boxes count from IoU 0.5; dashed: from IoU 0.75. The area below a line is the AP there. "
            f"Dot: score {score:g}, that of precision and recall."
        ),
        drawings=tuple(_precision_recall(part, name, curve) for part, name, curve in curves),
        scenes=("worst", "best"),
        is_wide=True,
    )


def recall_figures(breakdown: RecallBreakdown | None) -> Iterator[Figure]:
    """One chart for each factor that is known."""
    if breakdown is None:
        return
    longest = max(len(part.name) for bins in breakdown.factors.values() for part in bins)
    for factor, bins in breakdown.factors.items():
        title = _FACTOR_TITLES.get(factor, f"By {factor}")
        spoken = "; ".join(f"{part.name} {percent(part.recall)} of {part.object_count:,}" for part in bins)
        yield Figure(
            title=title,
            caption="",
            drawings=(
                bar_chart(
                    [Bar(part.name, part.recall or 0.0, _found(part)) for part in bins],
                    share_axis(""),
                    alternative=f"Recall {title.lower()}: {spoken}.",
                    names_px=longest * LETTER_PX + 12,
                ),
            ),
        )


def _found(part: RecallBin) -> str:
    return f"{percent(part.recall)}  of {part.object_count:,}"


def _precision_recall(part: DetectionReport, name: str, curve: PrecisionRecallCurve) -> Markup:
    scores = part.per_class[name]
    operating = (
        f"At score {part.score_threshold:g}: precision {percent(curve.precision)}, recall {percent(curve.recall)}"
    )
    mark = (
        Mark(operating, curve.recall, curve.precision)
        if curve.recall is not None and curve.precision is not None
        else None
    )
    label = name if part.grouping == "each" else COUNTED_AS[part.grouping]
    return line_chart(
        [
            Line("", "second", _points(curve.precision_75)),
            Line("", "model", _points(curve.precision_50)),
        ],
        share_axis("Recall, %", step=0.5),
        share_axis(f"{label}: AP50 {percent(scores.ap50)}", step=0.5),
        alternative=(
            f"Precision over recall of {label}, {counted(scores.truth_count, 'object')}: AP50 {percent(scores.ap50)}, "
            f"AP {percent(scores.ap)}. {operating}."
        ),
        size_px=_SMALL_PX,
        mark=mark,
    )


def _points(precision: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """The curve up to the last recall that is reached."""
    reached = [(index / (len(precision) - 1), value) for index, value in enumerate(precision) if value > 0]
    return (*reached, (reached[-1][0], 0.0)) if reached else ()
