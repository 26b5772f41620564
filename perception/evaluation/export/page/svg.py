"""Drawing in SVG: elements whose texts stay texts, axes, and colours that follow the page's theme by CSS classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

LETTER_PX = 7.4
"""The width of a letter at the charts' 12 pixels, on the safe side."""


@dataclass(frozen=True)
class Axis:
    """The values from ``low`` to ``high`` along one side of a chart, marked at ``ticks``."""

    title: str
    low: float
    high: float
    ticks: tuple[float, ...]
    words: Callable[[float], str] = "{:g}".format

    def place(self, value: float, start_px: float, end_px: float) -> float:
        """Where ``value`` lies between two positions; what is outside the axis lies on its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return start_px + share * (end_px - start_px)


def percent_words(value: float) -> str:
    """0.5 -> "50"; the axis' title has the sign."""
    return f"{100 * value:.0f}"


def share_axis(title: str, *, step: float = 0.25) -> Axis:
    """From 0 to 100 %."""
    count = round(1 / step)
    return Axis(title, 0.0, 1.0, tuple(index * step for index in range(count + 1)), percent_words)


def axis_from_zero(title: str, values: Sequence[float]) -> Axis:
    """From 0 to a round number that is not below any of ``values``, with three to six ticks."""
    top = max([value for value in values if math.isfinite(value)], default=0.0) or 1.0
    unit = 10 ** math.floor(math.log10(top))
    step = next(part * unit for part in (0.2, 0.25, 0.5, 1.0, 2.0, 2.5) if top / (part * unit) <= 5)
    count = math.ceil(top / step - 1e-9)
    return Axis(title, 0.0, count * step, tuple(index * step for index in range(count + 1)))


def element(name: str, content: str | Markup = "", **attributes: str | float) -> Markup:
    """``<name ...>content</name>``, escaped; ``class_`` and names with underscores are written as SVG has them."""
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _short(value)) for key, value in attributes.items()
    )
    return Markup("<{name}{written}>{content}</{name}>").format(name=name, written=written, content=escape(content))


def picture(parts: Sequence[Markup], *, width: float, height: float, alternative: str) -> Markup:
    """The whole drawing; ``alternative`` is read to those who do not see it."""
    return element(
        "svg",
        Markup("").join(parts),
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        aria_label=alternative,
        class_="chart",
    )


def path(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    """A line through ``points``."""
    steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return element("path", d=f"M{steps}", class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight stroke."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def words(text: str, x: float, y: float, class_: str = "", anchor: str = "start") -> Markup:
    """A text whose baseline is at ``y``."""
    return element("text", text, x=x, y=y, class_=class_, text_anchor=anchor)


def _short(value: str | float) -> str:
    return value if isinstance(value, str) else f"{round(value, 2):g}"
