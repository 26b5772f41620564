"""Horizontal bars with their values beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from perception.evaluation.export.page.svg import LETTER_PX, Axis, element, line, picture, words

_ROW, _BAR, _TOP = 25.0, 13.0, 6.0


@dataclass(frozen=True)
class Bar:
    """``words`` stand beside the bar; ``reach`` are further values on the same scale, marked behind it."""

    name: str
    value: float
    words: str
    reach: tuple[float, ...] = ()


def bar_chart(
    bars: Sequence[Bar],
    axis: Axis,
    *,
    alternative: str,
    width: float = 390.0,
    names_px: float | None = None,
) -> Markup:
    """One row for each bar; ``names_px`` is the room for the names, so that several charts can be in line."""
    left = names_px or max((len(bar.name) * LETTER_PX for bar in bars), default=0.0) + 10
    right = width - max((len(bar.words) * LETTER_PX for bar in bars), default=0.0) - 10
    parts = []
    for number, bar in enumerate(bars):
        middle = _TOP + _ROW * (number + 0.5)
        end, far = (axis.place(value, left, right) for value in (bar.value, max(bar.reach, default=bar.value)))
        parts += [
            words(bar.name, left - 10, middle + 4, "label", "end"),
            element("rect", x=left, y=middle - _BAR / 2, width=right - left, height=_BAR, class_="track"),
            element("rect", x=left, y=middle - _BAR / 2, width=max(end - left, 0.5), height=_BAR, class_="bar"),
        ]
        if bar.reach:
            parts.append(line(end, middle, far, middle, "whisker"))
            for value in bar.reach:
                at = axis.place(value, left, right)
                parts.append(line(at, middle - 5, at, middle + 5, "whisker"))
        parts.append(words(bar.words, width, middle + 4, "value", "end"))
    height = _TOP * 2 + _ROW * len(bars)
    return picture(parts, width=width, height=height, alternative=alternative)
