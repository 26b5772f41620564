"""How much unlabelled video is worth: errors on held-out video against the minutes that were learnt from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from perception.files import whole_file
from perception.training.engine.trainer import History
from perception.types import ReferenceFrame

SHARES = (0.1, 0.3, 1.0)
"""Of each video, from its beginning."""

SECONDS = (1, 2, 3)


@dataclass(frozen=True)
class Amount:
    """One training: ``minutes`` of video with ``kept`` tracks; the mean error ``fde`` and constant velocity's ``cv`` at
    ``SECONDS``, in thousandths of the image, on the ground in metres, on video whose truth was never learnt from."""

    minutes: float
    kept: int
    fde: tuple[float, ...]
    cv: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float | None, ...]:
        """``fde`` over ``cv``; None where no target's future was known."""
        return tuple(fde / cv if cv > 0 else None for fde, cv in zip(self.fde, self.cv, strict=True))

    @classmethod
    def of(cls, history: History, minutes: float, kept: int, frame: ReferenceFrame) -> Amount:
        """Read at the end of the training: its best weights were chosen on the same video, so they do not count."""
        last = history.validation[-1]
        figure = "{} {} s (1/1000)" if frame == "image" else "drives {} {} s"
        fde, cv = (tuple(float(last[figure.format(name, second)]) for second in SECONDS) for name in ("FDE", "CV"))
        return cls(minutes, kept, fde, cv)


def draw_amounts(amounts: Sequence[Amount], path: Path) -> None:
    """Write a PNG: for each horizon the error over that of constant velocity, against the minutes of video."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    minutes = [amount.minutes for amount in amounts]
    for index, (second, colour) in enumerate(zip(SECONDS, ("#3366cc", "#dd6b20", "#2f855a"), strict=True)):
        ratios = [math.nan if (ratio := amount.ratios[index]) is None else ratio for amount in amounts]
        axis.plot(minutes, ratios, "o-", color=colour, label=f"{second} s ahead")
    axis.axhline(1.0, color="0.5", linestyle=":", label="constant velocity")
    axis.set_xlabel("minutes of unlabelled video")
    axis.set_ylabel("error over constant velocity's")
    axis.set_title("Learning from video without labels", loc="left", fontweight="bold")
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
