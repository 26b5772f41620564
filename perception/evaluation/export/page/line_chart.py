"""Lines over a quantity, each named at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from perception.evaluation.export.page.svg import LETTER_PX, Axis, element, line, path, picture, words

Look = Literal["model", "second", "baseline", "other", "ideal"]
"""The accent colour is for what is evaluated, solid and dashed; baselines are grey; the ideal is a thin line."""

_LEFT, _TOP, _BOTTOM = 38.0, 26.0, 40.0
_LABEL_PX = 15.0


@dataclass(frozen=True)
class Line:
    """A line through ``points`` (x, y), and where ``words`` is given also marks that say the values."""

    name: str
    look: Look
    points: tuple[tuple[float, float], ...]
    has_marks: bool = False


@dataclass(frozen=True)
class Mark:
    """A single point with a name, such as the operating point."""

    name: str
    x: float
    y: float


def line_chart(
    lines: Sequence[Line],
    x: Axis,
    y: Axis,
    *,
    alternative: str,
    size_px: tuple[float, float] = (390.0, 255.0),
    mark: Mark | None = None,
) -> Markup:
    """The chart with its axes; lines without a name are not labelled."""
    width, height = size_px
    named = [one for one in lines if one.name]
    right = width - 14 - max((len(one.name) * LETTER_PX for one in named), default=0.0)
    frame = (_LEFT, _TOP, right, height - _BOTTOM)
    parts = [_axes(x, y, frame)]
    ends = []
    for one in lines:
        placed = [(x.place(at, frame[0], frame[2]), y.place(value, frame[3], frame[1])) for at, value in one.points]
        if not placed:
            continue
        parts.append(path(placed, f"line {one.look}"))
        if one.has_marks:
            parts += [_dot(point, one, values, x, y) for point, values in zip(placed, one.points, strict=True)]
        if one.name:
            ends.append((placed[-1][1], one))
    heights = _apart([end for end, _ in ends], frame[1], frame[3])
    parts += [
        words(one.name, frame[2] + 7, at + 4, f"name {one.look}") for at, (_, one) in zip(heights, ends, strict=True)
    ]
    if mark is not None:
        point = (x.place(mark.x, frame[0], frame[2]), y.place(mark.y, frame[3], frame[1]))
        hint = element("title", mark.name)
        parts.append(element("circle", hint, cx=point[0], cy=point[1], r=4.5, class_="mark"))
    return picture(parts, width=width, height=height, alternative=alternative)


def _axes(x: Axis, y: Axis, frame: tuple[float, float, float, float]) -> Markup:
    left, top, right, bottom = frame
    parts = [words(y.title, 0, 12, "axis"), words(x.title, right, bottom + 35, "axis", "end")]
    for tick in y.ticks:
        at = y.place(tick, bottom, top)
        parts += [line(left, at, right, at, "grid"), words(y.words(tick), left - 7, at + 4, "tick", "end")]
    for tick in x.ticks:
        at = x.place(tick, left, right)
        parts += [line(at, bottom, at, bottom + 4, "grid"), words(x.words(tick), at, bottom + 18, "tick", "middle")]
    return element("g", Markup("").join(parts), aria_hidden="true")


def _dot(point: tuple[float, float], one: Line, values: tuple[float, float], x: Axis, y: Axis) -> Markup:
    hint = element("title", f"{one.name}: {values[1]:.3g} at {values[0]:g}")
    return element("circle", hint, cx=point[0], cy=point[1], r=3, class_=f"dot {one.look}")


def _apart(heights: Sequence[float], top: float, bottom: float) -> list[float]:
    """``heights`` of labels, moved as little as makes none cover another."""
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    placed: list[float] = []
    for index in order:
        placed.append(max(heights[index], placed[-1] + _LABEL_PX if placed else top))
    if placed and (below := placed[-1] - bottom) > 0:
        placed[-1] -= below
        for index in range(len(placed) - 2, -1, -1):
            placed[index] = min(placed[index], placed[index + 1] - _LABEL_PX)
    result = [0.0] * len(heights)
    for index, at in zip(order, placed, strict=True):
        result[index] = at
    return result
