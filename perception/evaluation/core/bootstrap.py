"""Confidence intervals of comparisons: paired bootstrap over objects.

The errors of one object at successive instants are nearly the same error, so whole objects are drawn, with all their
errors (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993; the percentile interval).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perception.arrays import FloatArray, IntArray

INTERVAL_PERCENT = (2.5, 97.5)

NO_ERROR = 1e-6
"""A mean error up to this is that of arithmetic: dividing by it means nothing."""

_DRAWS_AT_ONCE = 100
_NUMBERS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class PairedComparison:
    """Two methods on the same targets: the ratio of their mean errors and the difference, model minus baseline.

    Intervals hold 95 %; None with fewer than two objects or where the baseline makes no error.
    """

    ratio: float | None
    ratio_interval: tuple[float, float] | None
    difference: float
    difference_interval: tuple[float, float] | None

    @property
    def is_better(self) -> bool:
        """The whole interval lies on the model's side."""
        return self.difference_interval is not None and self.difference_interval[1] < 0

    @property
    def is_worse(self) -> bool:
        """The whole interval lies on the baseline's side."""
        return self.difference_interval is not None and self.difference_interval[0] > 0


def compare_paired(
    *, model: FloatArray, baseline: FloatArray, objects: IntArray, rng: np.random.Generator, samples: int = 1000
) -> PairedComparison:
    """Compare errors ``model`` and ``baseline`` (N,), each of the object (N,) that it was made on.

    Raises ``ValueError`` without any error to compare.
    """
    if len(model) == 0:
        raise ValueError("model: expected at least one error, got none")
    _, group = np.unique(objects, return_inverse=True)
    totals = np.stack(
        [np.bincount(group, model), np.bincount(group, baseline), np.bincount(group).astype(np.float64)], axis=1
    )
    return compare_sums(totals.sum(axis=0), drawn=resampled(totals, rng=rng, samples=samples))


def resampled(totals: FloatArray, *, rng: np.random.Generator, samples: int) -> FloatArray | None:
    """(samples, C): the sums of ``totals`` (O, C) over as many objects, drawn with replacement, each time anew.

    None with fewer than two objects, or for no samples.
    """
    count = len(totals)
    if count < 2 or not samples:
        return None
    at_once = max(1, min(_DRAWS_AT_ONCE, _NUMBERS_AT_ONCE // count))
    drawn = np.empty((samples, totals.shape[1]))
    for start in range(0, samples, at_once):
        times = np.stack(
            [
                np.bincount(rng.integers(count, size=count), minlength=count)
                for _ in range(min(at_once, samples - start))
            ]
        )
        drawn[start : start + len(times)] = times.astype(np.float64) @ totals
    return drawn


def compare_sums(sums: FloatArray, *, drawn: FloatArray | None) -> PairedComparison:
    """Compare by ``sums`` (3,): the errors of model and baseline, and their number; ``drawn`` (samples, 3) resampled.

    Without ``drawn`` there are no intervals.
    """
    model_mean, baseline_mean = (sums[:2] / sums[2]).tolist()
    ratio = model_mean / baseline_mean if baseline_mean > NO_ERROR else None
    if drawn is None:
        return PairedComparison(ratio, None, model_mean - baseline_mean, None)
    ratios = drawn[:, 0] / drawn[:, 1] if (drawn[:, 1] > NO_ERROR * drawn[:, 2]).all() else None
    return PairedComparison(
        ratio=ratio,
        ratio_interval=_interval(ratios) if ratios is not None else None,
        difference=model_mean - baseline_mean,
        difference_interval=_interval((drawn[:, 0] - drawn[:, 1]) / drawn[:, 2]),
    )


def _interval(values: FloatArray) -> tuple[float, float]:
    low, high = np.percentile(values, INTERVAL_PERCENT).tolist()
    return low, high
