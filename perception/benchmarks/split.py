"""What all benchmarks have in common: targets with a past and a future, counted by a protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError
from perception.evaluation.core.calibration import CalibrationSamples
from perception.forecasting.track_dataset import Grid, TrackSet
from perception.types import ReferenceFrame

SplitName = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Split:
    """Targets (w,) of a benchmark: each is a window that ends at row ``ends[i]`` of the ``tracks``.

    At most ``history`` observations are read. ``groups`` (w,) states which targets belong together (a video, a scene):
    those are drawn as one where an interval is asked for. ``units`` (w, D) turns positions into the unit of the errors.
    ``scenes`` (w,) states where each was filmed; None where that is its group.
    """

    tracks: TrackSet
    ends: IntArray
    history: int
    groups: IntArray
    units: FloatArray
    scenes: IntArray | None = None

    @property
    def even_weights(self) -> FloatArray:
        """(w,): by these, scenes count alike, however many targets each has."""
        _, index, counts = np.unique(
            self.groups if self.scenes is None else self.scenes, return_inverse=True, return_counts=True
        )
        weights: FloatArray = 1 / (len(counts) * counts[index])
        return weights

    def __len__(self) -> int:
        return len(self.ends)

    def share(self, share: float, rng: np.random.Generator) -> Split:
        """The targets of so many of the groups, at least one."""
        groups = np.unique(self.groups)
        kept = rng.permutation(groups)[: max(1, round(share * len(groups)))]
        is_kept = np.isin(self.groups, kept)
        return replace(
            self,
            ends=self.ends[is_kept],
            groups=self.groups[is_kept],
            units=self.units[is_kept],
            scenes=None if self.scenes is None else self.scenes[is_kept],
        )

    def futures(self, steps: int) -> FloatArray:
        """(w, steps, D): what happened, in the unit of the errors."""
        return self.futures_of(np.arange(len(self)), steps) * self.units[:, None]

    def futures_of(self, targets: IntArray, steps: int) -> FloatArray:
        """(n, steps, D): what happened to some ``targets`` (n,), in the unit of the tracks."""
        now = self.tracks.truth_rows[self.ends[targets]]
        return self.tracks.futures(now, now[:, None] + np.array(self.tracks.grid.steps[:steps]))


@dataclass(frozen=True)
class Predicted:
    """K futures of w targets: ``probabilities`` (w, K), ``means`` (w, K, T, D) in the unit of the errors.

    ``calibration_samples`` are along and across where spreads lie so, in the unit of the tracks; None where no spread
    is claimed.
    """

    probabilities: FloatArray
    means: FloatArray
    calibration_samples: CalibrationSamples | None = None

    @property
    def expected(self) -> FloatArray:
        """(w, T, D): the one output, the mean over the futures."""
        expected: FloatArray = np.einsum("wk,wktd->wtd", self.probabilities, self.means)
        return expected


Errors = Mapping[str, FloatArray]
"""By figure, one number per target (w,); its mean is the benchmark's figure."""


@dataclass(frozen=True)
class Benchmark:
    """A protocol. ``read(path, split, fold)`` gives its targets, ``errors(predicted, actual)`` one number per target
    and figure, of ``steps`` predicted ones. ``chosen_by`` names the figure that weights are chosen by on validation,
    ``published`` what others reached, by figure. Folds share no target where ``averages_folds``.
    """

    name: str
    title: str
    unit: str
    reference_frame: ReferenceFrame
    grid: Grid
    group: str
    read: Callable[[Path, SplitName, str], Split]
    errors: Callable[[Predicted, FloatArray], Errors]
    chosen_by: tuple[str, ...]
    published: Mapping[str, Mapping[str, float]]
    folds: tuple[str, ...] = ("",)
    averages_folds: bool = True
    notes: tuple[str, ...] = field(default=())

    def targets(self, path: Path, split: SplitName, fold: str = "") -> Split:
        """What ``read`` gives. Raises ``UsageError`` also for a file whose columns do not fit together."""
        try:
            found = self.read(path, split, fold)
        except (ValueError, IndexError, TypeError) as error:
            raise UsageError(f"{path}: its columns do not fit together ({error}); make the file again.") from error
        if not np.isfinite(found.tracks.observations).all():
            raise UsageError(f"{path}: holds positions that are no numbers; make the file again.")
        return found

    @property
    def steps(self) -> int:
        """How many are predicted."""
        return len(self.grid.steps)

    @property
    def horizon_s(self) -> float:
        return float(self.grid.times_s[-1])


def missing_column(path: Path, what: str, error: KeyError) -> UsageError:
    """What to raise where a file lacks a column."""
    return UsageError(f"{path}: has no column {error}; it is not a file of {what}.")
