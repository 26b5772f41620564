"""Runs against a reference, part by part: differences with intervals, and the images where they differ most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from perception.evaluation.comparison.figures import FIGURES, figures_of
from perception.evaluation.comparison.units import Units
from perception.evaluation.core.bootstrap import compare_paired
from perception.evaluation.core.table_boxes import ImageKey, image_keys
from perception.evaluation.report.count import EvalConfig, match_run
from perception.evaluation.report.evaluate import evaluate_run
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.types import BoxTable


@dataclass(frozen=True)
class PairedFigure:
    """``reference`` and ``run`` over all parts together, ``difference`` the mean over the parts, run minus reference.

    ``interval`` holds 95 %, by bootstrap over the ``part_count`` parts that have the figure in both; None for one.
    """

    reference: float
    run: float
    difference: float
    interval: tuple[float, float] | None
    part_count: int
    lower_is_better: bool

    @property
    def is_better(self) -> bool:
        """The whole interval lies on the run's side."""
        return self._lies(below=self.lower_is_better)

    @property
    def is_worse(self) -> bool:
        """The whole interval lies on the reference's side."""
        return self._lies(below=not self.lower_is_better)

    def _lies(self, *, below: bool) -> bool:
        if self.interval is None:
            return False
        low, high = self.interval
        return high < 0 if below else low > 0


@dataclass(frozen=True)
class DifferingImage:
    """One image, with the misses and false positives of the reference and of the run at the score threshold."""

    recording: str
    camera: str
    frame_index: int
    reference_miss_count: int
    reference_false_positive_count: int
    run_miss_count: int
    run_false_positive_count: int

    @property
    def difference(self) -> int:
        """Errors of the run minus those of the reference."""
        errors = self.run_miss_count + self.run_false_positive_count
        return errors - self.reference_miss_count - self.reference_false_positive_count


@dataclass(frozen=True)
class RunComparison:
    """``run`` against ``reference``, by the names of ``FIGURES``; ``images`` begin with the one that differs most."""

    reference: str
    run: str
    figures: dict[str, PairedFigure]
    images: tuple[DifferingImage, ...]


@dataclass(frozen=True)
class Comparison:
    """Each further run against the first; ``parts`` are what all were measured on.

    Detection is not compared on ``left_out_image_count`` images, at which not all detectors looked.
    """

    kind: str
    parts: tuple[str, ...]
    left_out_instant_count: int
    left_out_image_count: int
    runs: tuple[RunComparison, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``compare.json``."""
        return asdict(self)


def compare_runs(
    titles: Sequence[str], units: Units, *, config: EvalConfig, rng: np.random.Generator, image_count: int = 10
) -> Comparison:
    """Compare the runs of ``units``, which have these ``titles``, with the first of them.

    Raises ``UsageError`` as ``evaluate_run`` does.
    """
    whole = [figures_of(evaluate_run(run, config=config, rng=rng)) for run in units.whole]
    by_part = [[figures_of(evaluate_run(part, config=config, rng=rng)) for part in parts] for parts in units.runs]
    return Comparison(
        kind=units.kind,
        parts=units.names,
        left_out_instant_count=units.left_out,
        left_out_image_count=units.left_out_images,
        runs=tuple(
            RunComparison(
                reference=titles[0],
                run=title,
                figures=_paired(whole[0], whole[index], by_part[0], by_part[index], rng),
                images=_differing(units, index, config)[:image_count],
            )
            for index, title in enumerate(titles[1:], start=1)
        ),
    )


def _paired(
    reference: dict[str, float],
    run: dict[str, float],
    reference_parts: Sequence[dict[str, float]],
    run_parts: Sequence[dict[str, float]],
    rng: np.random.Generator,
) -> dict[str, PairedFigure]:
    found = {}
    for name in (name for name in FIGURES if name in reference and name in run):
        pairs = [
            (part[name], other[name])
            for part, other in zip(reference_parts, run_parts, strict=True)
            if name in part and name in other
        ]
        if not pairs:
            continue
        before, after = np.array(pairs).T
        compared = compare_paired(model=after, baseline=before, objects=np.arange(len(pairs)), rng=rng)
        found[name] = PairedFigure(
            reference=reference[name],
            run=run[name],
            difference=compared.difference,
            interval=compared.difference_interval,
            part_count=len(pairs),
            lower_is_better=FIGURES[name].lower_is_better,
        )
    return found


def _differing(units: Units, index: int, config: EvalConfig) -> tuple[DifferingImage, ...]:
    """The images in which the errors of run ``index`` and of the first differ, the largest difference first."""
    found = [
        DifferingImage(reference.title, *key, *before.get(key, (0, 0)), *after.get(key, (0, 0)))
        for reference, run in zip(units.runs[0], units.runs[index], strict=True)
        for before, after in [(_errors(reference, config), _errors(run, config))]
        for key in sorted(before.keys() | after.keys())
    ]
    differing = [image for image in found if image.difference]
    return tuple(sorted(differing, key=lambda image: -abs(image.difference)))


def _errors(part: EvaluatedRun, config: EvalConfig) -> dict[ImageKey, tuple[int, int]]:
    """Misses and false positives by image, in those with any."""
    matched = match_run(part, part.detected_images, config)
    misses = _counts(matched.truth[~matched.is_found])
    false_positives = _counts(matched.false_alarms)
    keys = misses.keys() | false_positives.keys()
    return {key: (misses.get(key, 0), false_positives.get(key, 0)) for key in keys}


def _counts(table: BoxTable) -> dict[ImageKey, int]:
    counts = dict.fromkeys(image_keys(table), 0)
    for key in zip(table.cameras.tolist(), table.frame_indices.tolist(), strict=True):
        counts[key] += 1
    return counts
