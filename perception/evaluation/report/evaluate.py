"""From the scenes of runs, or the tables of finished ones, to their report."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from perception.evaluation.core.boxes import Grouping, ImageKey
from perception.evaluation.core.ground_truth import GroundScope
from perception.evaluation.core.latency import evaluate_latency
from perception.evaluation.core.records import ForecastingReport, InstantForecasts, Setting
from perception.evaluation.core.run_tables import RunTables
from perception.evaluation.core.timeline import Timeline
from perception.evaluation.detection.average_precision import DetectionReport, evaluate_detection
from perception.evaluation.forecasting.image import evaluate_forecasts
from perception.evaluation.report.evaluate_ground import evaluate_ground
from perception.evaluation.report.report import Report, headline_figures
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.evaluation.runs.merge_sequences import merge_runs
from perception.evaluation.tracking.image import evaluate_tracking
from perception.protocols import Forecaster
from perception.types import BoxTable, ObjectTable

GROUND_VISIBLE_SHARE = 0.5
"""On the ground objects count that some camera sees at least by half, where nothing else is asked for."""


_NO_OBJECTS = "Nothing is evaluated on the ground: the recording does not say where its objects are in the world."


@dataclass(frozen=True)
class EvalConfig:
    """What to measure, and of what.

    ``score_threshold`` is that of precision and recall. Objects lower than ``min_height_px``, or less visible than
    ``min_visible_share``, count neither way; None is 0 in the images and 0.5 on the ground, where objects farther than
    ``max_distance_m`` do not count either.
    """

    score_threshold: float
    grouping: Grouping = "both"
    min_height_px: float = 0.0
    min_visible_share: float | None = None
    max_distance_m: float = 60.0

    @property
    def image_visible_share(self) -> float:
        return self.min_visible_share or 0.0

    @property
    def scope(self) -> GroundScope:
        """Which objects count on the ground. Raises ``UsageError`` for limits that cannot be."""
        share = GROUND_VISIBLE_SHARE if self.min_visible_share is None else self.min_visible_share
        return GroundScope(share, self.min_height_px, self.max_distance_m)


def evaluate_run(
    *,
    run: RunTables,
    truth: BoxTable,
    timeline: Timeline,
    title: str,
    rng: np.random.Generator,
    score_threshold: float,
    grouping: Grouping = "both",
    min_height_px: float = 0.0,
    min_visible_share: float | None = None,
    objects: ObjectTable | None = None,
    forecaster: Forecaster | None = None,
    notes: Sequence[str] = (),
) -> Report:
    """Compare a run with the ground truth of its recording, over the instants that the run processed.

    ``timeline``, ``truth`` and ``objects`` (the true objects in the world) are those of the whole recording. A run in
    the ground frame is also evaluated there when ``objects`` are given. ``forecaster`` is reset and fed with the true
    tracks as well; without it the report has only the forecasts on tracked objects. The limits are those of
    ``EvalConfig``.

    Raises ``UsageError`` when run and truth are not of the same recording.
    """
    config = EvalConfig(score_threshold, grouping, min_height_px, min_visible_share)
    evaluated = EvaluatedRun.of(title=title, run=run, truth=truth, timeline=timeline, objects=objects)
    if forecaster is not None:
        evaluated = evaluated.with_gt_tracks(forecaster, config.scope)
    return evaluate_runs(runs=[evaluated], title=title, rng=rng, config=config, notes=notes)


def evaluate_runs(
    *,
    runs: Sequence[EvaluatedRun],
    title: str,
    rng: np.random.Generator,
    config: EvalConfig,
    notes: Sequence[str] = (),
) -> Report:
    """Measure several runs together, as if they were one; each alone gives its headline figures.

    Raises ``UsageError`` where a run and its truth are not of the same recording, or where some runs are on the ground
    and others are not.
    """
    report = _evaluate(merge_runs(runs, title=title), rng, config, notes)
    if len(runs) == 1:
        return report
    return replace(report, recordings=tuple(headline_figures(_evaluate(run, rng, config, ())) for run in runs))


def _evaluate(evaluated: EvaluatedRun, rng: np.random.Generator, config: EvalConfig, notes: Sequence[str]) -> Report:
    run, share = evaluated.run, config.image_visible_share
    images = evaluated.timeline.images(evaluated.instants)
    is_image = run.objects is None
    return Report(
        title=evaluated.title,
        detection=evaluate_groupings(
            truth=evaluated.truth,
            detections=run.detections,
            grouping=config.grouping,
            score_threshold=config.score_threshold,
            min_height_px=config.min_height_px,
            min_visible_share=share,
            images=images,
        ),
        tracking=tuple(
            evaluate_tracking(
                truth=evaluated.truth,
                tracks=run.tracks,
                vehicles_as_one=vehicles_as_one,
                images=images,
                min_height_px=config.min_height_px,
                min_visible_share=share,
            )
            for vehicles_as_one in _ways(config.grouping)
        ),
        ground=evaluate_ground(evaluated, scope=config.scope, ways=_ways(config.grouping), rng=rng)
        if evaluated.on_the_ground
        else None,
        forecasting=_forecasting(evaluated, rng) if is_image else (),
        latency=evaluate_latency(stage_ms=run.stage_ms) if run.stage_ms else None,
        notes=(*notes, *(() if is_image or evaluated.on_the_ground else (_NO_OBJECTS,))),
    )


def _forecasting(evaluated: EvaluatedRun, rng: np.random.Generator) -> tuple[ForecastingReport, ...]:
    """In the image: on tracked boxes, and on ground-truth tracks where these were forecast."""
    settings: list[tuple[Setting, Sequence[InstantForecasts]]] = [("tracked", evaluated.run.records)]
    if evaluated.gt_records is not None:
        settings.append(("ground-truth tracks", evaluated.gt_records))
    return tuple(
        evaluate_forecasts(
            records=records,
            truth=evaluated.by_instant,
            frame_timestamps_ns=evaluated.timeline.timestamps_ns,
            setting=setting,
            rng=rng,
        )
        for setting, records in settings
    )


def evaluate_groupings(
    *,
    truth: BoxTable,
    detections: BoxTable,
    images: Collection[ImageKey],
    grouping: Grouping,
    score_threshold: float,
    min_height_px: float,
    min_visible_share: float = 0.0,
    exhaustive_labels: Mapping[ImageKey, Collection[int]] | None = None,
) -> tuple[DetectionReport, ...]:
    """``evaluate_detection`` once for each way of counting classes that ``grouping`` asks for."""
    return tuple(
        evaluate_detection(
            truth=truth,
            detections=detections,
            classes="vehicle" if vehicles_as_one else "each",
            score_threshold=score_threshold,
            min_height_px=min_height_px,
            min_visible_share=min_visible_share,
            exhaustive_labels=exhaustive_labels,
            images=images,
        )
        for vehicles_as_one in _ways(grouping)
    )


def _ways(grouping: Grouping) -> tuple[bool, ...]:
    """Whether vehicles count as one class, for each report."""
    return {"both": (True, False), "vehicles": (True,), "each": (False,)}[grouping]
