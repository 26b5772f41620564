"""The page's colours can be told apart by all: the contrasts of WCAG AA, in both themes and on paper."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import perception.evaluation.export.page.page as page

CSS = (Path(page.__file__).parent / "report.css").read_text(encoding="utf-8")
THEMES = [dict(re.findall(r"--(\w+): (#\w+);", block)) for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)]


def channels(colour: str) -> list[float]:
    digits = colour.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
    return [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]


def luminance(colour: list[float]) -> float:
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: list[float], second: list[float]) -> float:
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark", "paper"])
def test_texts_and_lines_stand_out(theme: dict[str, str]) -> None:
    paper, faint, ink = (channels(theme[name]) for name in ("paper", "faint", "ink"))
    for name in ("ink", "muted", "accent", "better", "worse", "unclear"):
        assert contrast(channels(theme[name]), paper) >= 4.5, name
    assert contrast(channels(theme["grey"]), paper) >= 3.0
    # The darkest cell of the confusion matrix.
    accent = channels(theme["accent"])
    shaded = [0.35 * high + 0.65 * low for high, low in zip(accent, faint, strict=True)]
    assert contrast(ink, shaded) >= 4.5
