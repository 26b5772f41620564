"""Every frame that a camera sent, by what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Cause = Literal["overrun", "stale", "late", "damaged", "repeated", "misfit", "strided", "unused", "gap"]

CAUSES: Mapping[Cause, str] = {
    "overrun": "a newer one came before it was its turn",
    "stale": "too old when it came, or when its turn came",
    "late": "came after its instant was over",
    "damaged": "cannot be decoded",
    "repeated": "the same picture again, of a frozen camera",
    "misfit": "of a shape that its calibration is not for",
    "strided": "left out by the stride",
    "unused": "waited when the run ended, or when its camera was taken away",
    "gap": "lost while the camera was away: an estimate, of the time and the rate",
}
"""Why a frame was not used."""

assert set(CAUSES) == set(get_args(Cause))


@dataclass
class FrameCounts:
    """The frames of one camera: what was sent is used, counted by its cause, or waits.

    >>> counts = FrameCounts()
    >>> counts.came(); counts.came(); counts.use(); counts.leave("late"); counts.leave("gap", 3)
    >>> counts.sent, counts.used, counts.waiting, counts.dropped
    (5, 1, 0, 1)
    """

    received: int = 0
    used: int = 0
    left: dict[Cause, int] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0))

    def came(self) -> None:
        """One arrived, whole or not."""
        self.received += 1

    def use(self) -> None:
        """One was handed out."""
        self.used += 1

    def leave(self, cause: Cause, count: int = 1) -> None:
        """So many are not used."""
        self.left[cause] += count

    @property
    def sent(self) -> int:
        """What arrived, and what was lost on the way as far as that is known."""
        return self.received + self.left["gap"]

    @property
    def waiting(self) -> int:
        """What arrived and has its turn before it; 0 once the run has ended."""
        return self.sent - self.used - sum(self.left.values())

    @property
    def dropped(self) -> int:
        """What arrived and was not used, but for what the user left out."""
        return sum(count for cause, count in self.left.items() if cause not in ("gap", "strided"))

    def to_json(self) -> dict[str, int]:
        """For ``report.json``: all causes, also those that never occurred."""
        left: dict[str, int] = {cause: count for cause, count in self.left.items()}  # noqa: C416 - its keys are wider
        return {"sent": self.sent, "used": self.used, **left, "waiting": self.waiting}
