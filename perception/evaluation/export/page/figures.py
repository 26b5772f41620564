"""What a chapter of the page shows: drawings with captions, and where to look for what they speak of."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from perception.evaluation.failures.scenes import SceneKind


@dataclass(frozen=True)
class Figure:
    """Drawings under one title, with a ``caption``; frames of the ``scenes`` of these kinds are examples of it."""

    title: str
    caption: str
    drawings: tuple[Markup, ...]
    scenes: tuple[SceneKind, ...] = ()
    is_wide: bool = False


def percent(value: float | None, digits: int = 1) -> str:
    """0.1234 -> "12.3 %"; a dash for what is not defined."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"
