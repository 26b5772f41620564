"""From the scenes of runs, or the tables of finished ones, to their report."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from perception.errors import counted
from perception.evaluation.core.ground_truth import GroundScope
from perception.evaluation.core.image_dataset import ImageDataset
from perception.evaluation.core.latency_statistics import evaluate_latency
from perception.evaluation.core.records import ForecastingReport, InstantForecasts, Setting
from perception.evaluation.core.run_tables import RunTables
from perception.evaluation.core.table_boxes import GroupingChoice, ImageKey, groupings_of, in_images
from perception.evaluation.detection.average_precision import DetectionReport, evaluate_detection
from perception.evaluation.detection.confusion import ClassPairs, confusion_matrix, pair_classes
from perception.evaluation.failures.classify import MatchedDetections, match_detections
from perception.evaluation.failures.gt_plausibility import gt_notes
from perception.evaluation.failures.object_distances import object_distances_m
from perception.evaluation.failures.recall_breakdown import Conditions, RecallBreakdown, break_down_recall
from perception.evaluation.failures.scenes import (
    SceneEntry,
    foremost,
    identity_switches,
    worst_and_best,
    worst_forecast_scenes,
    wrong_classes,
)
from perception.evaluation.forecasting.image import evaluate_forecasts
from perception.evaluation.report.evaluate_ground import evaluate_ground
from perception.evaluation.report.report import Report, headline_figures, recording_spread
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.evaluation.runs.merge_sequences import merge_runs
from perception.evaluation.tracking.image import TrackingReport, evaluate_tracking
from perception.types import BoxTable, IgnoredRegions

GROUND_VISIBLE_SHARE = 0.5
"""On the ground objects count that some camera sees at least by half, where nothing else is asked for."""


_NO_OBJECTS = "Nothing is evaluated on the ground: the recording does not state where its objects are in the world."


@dataclass(frozen=True)
class EvalConfig:
    """What to measure, and of what.

    ``score_threshold`` is that of precision and recall. Objects shorter than ``min_height_px``, or less visible than
    ``min_visible_share``, are ignored; None is 0 in the images and 0.5 on the ground, where objects farther than
    ``max_distance_m`` are ignored too.
    """

    score_threshold: float
    grouping: GroupingChoice = "both"
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
    *runs: EvaluatedRun,
    config: EvalConfig,
    rng: np.random.Generator,
    title: str | None = None,
    notes: Sequence[str] = (),
) -> Report:
    """Compare what a run found with the ground truth of its recording, over the instants that it processed.

    Several ``runs`` are measured together, as if they were one; each alone then gives its headline figures. ``title``
    is that of the first run where none is given. Intervals are drawn from ``rng``.

    Raises ``UsageError`` where a run and its truth are not of the same recording, or where some runs are on the ground
    and others are not; ``ValueError`` without any run.
    """
    if title is None:
        title = runs[0].title if runs else ""
    report = _evaluate(merge_runs(runs, title=title), rng, config, notes)
    if len(runs) == 1:
        return report
    parts = [_evaluate(run, rng, config, ()) for run in runs]
    scenes = [replace(scene, recording=part.title) for part in parts for scene in part.scenes]
    figures = tuple(map(headline_figures, parts))
    return replace(report, recordings=figures, spread=recording_spread(figures), scenes=foremost(scenes))


def _evaluate(evaluated: EvaluatedRun, rng: np.random.Generator, config: EvalConfig, notes: Sequence[str]) -> Report:
    run, share = evaluated.run, config.image_visible_share
    images, detected_images = evaluated.images, evaluated.detected_images
    is_image, has_detections = run.objects is None, "detections" not in run.lacks
    matched = match_run(evaluated, detected_images, config)
    pairs = pair_classes(
        truth=evaluated.truth,
        detections=run.detections,
        images=detected_images,
        score_threshold=config.score_threshold,
        min_height_px=config.min_height_px,
        min_visible_share=share,
        ignored=evaluated.ignored,
        grouping=config.grouping,
    )
    report = Report(
        title=evaluated.title,
        detection=()
        if not has_detections
        else evaluate_groupings(
            truth=evaluated.truth,
            detections=run.detections,
            grouping=config.grouping,
            score_threshold=config.score_threshold,
            min_height_px=config.min_height_px,
            min_visible_share=share,
            ignored=evaluated.ignored,
            images=detected_images,
        ),
        tracking=() if "tracks" in run.lacks else _tracking(evaluated, config),
        ground=evaluate_ground(evaluated, scope=config.scope, groupings=groupings_of(config.grouping), rng=rng)
        if evaluated.on_the_ground
        else None,
        forecasting=_forecasting(evaluated, rng) if is_image and "forecasts" not in run.lacks else (),
        latency=evaluate_latency(stage_ms=run.stage_ms) if run.stage_ms else None,
        breakdown=_break_down_recall(evaluated, matched, detected_images, config) if has_detections else None,
        confusion=confusion_matrix(pairs, score_threshold=config.score_threshold) if has_detections else None,
        notes=(
            *notes,
            *evaluated.notes,
            *(() if is_image or evaluated.on_the_ground else (_NO_OBJECTS,)),
            *gt_notes(matched, run.tracks),
            *(() if len(detected_images) == len(images) else (_looked_at(len(detected_images), len(images)),)),
        ),
    )
    return replace(report, scenes=_scenes(evaluated, report, matched, pairs))


def _scenes(
    evaluated: EvaluatedRun, report: Report, matched: MatchedDetections, pairs: ClassPairs | None
) -> tuple[SceneEntry, ...]:
    """What is worth looking at in the frames that the run processed."""
    forecasting = report.forecasting if report.ground is None else report.ground.forecasting
    truth, records = evaluated.truth, evaluated.run.records
    here = truth[in_images(truth, evaluated.images)]
    has_detections = "detections" not in evaluated.run.lacks
    return foremost(
        [
            *(worst_and_best(matched) if has_detections else ()),
            *(wrong_classes(pairs) if has_detections else ()),
            *(() if "tracks" in evaluated.run.lacks else identity_switches(here, evaluated.run.tracks)),
            *worst_forecast_scenes(
                [one for part in forecasting if part.setting == "tracked" for one in part.worst],
                records,
                evaluated.timeline,
                unit="px" if report.ground is None else "m",
            ),
        ]
    )


def _tracking(evaluated: EvaluatedRun, config: EvalConfig) -> tuple[TrackingReport, ...]:
    """In the image, for each grouping of the classes that is asked for."""
    images = evaluated.images
    return tuple(
        evaluate_tracking(
            truth=evaluated.truth,
            tracks=evaluated.run.tracks,
            grouping=grouping,
            images=images,
            min_height_px=config.min_height_px,
            min_visible_share=config.image_visible_share,
            ignored=evaluated.ignored,
        )
        for grouping in groupings_of(config.grouping)
    )


def _looked_at(detected: int, count: int) -> str:
    return f"Detection is measured on the {detected:,} of {counted(count, 'image')} that the detector looked at."


def match_run(evaluated: EvaluatedRun, images: Collection[ImageKey], config: EvalConfig) -> MatchedDetections:
    """Which true objects in ``images`` a run found, and its false alarms there."""
    return _match(
        evaluated.truth,
        evaluated.run,
        images,
        config,
        min_visible_share=config.image_visible_share,
        ignored=evaluated.ignored,
    )


def match_images(
    labelled: ImageDataset, run: RunTables, images: Collection[ImageKey], config: EvalConfig
) -> MatchedDetections:
    """The same of a run over single ``images``, some of the ``labelled`` ones."""
    return _match(
        labelled.truth, run, images, config, exhaustive_labels=labelled.exhaustive_labels, ignored=labelled.ignored
    )


def _match(
    truth: BoxTable,
    run: RunTables,
    images: Collection[ImageKey],
    config: EvalConfig,
    *,
    min_visible_share: float = 0.0,
    exhaustive_labels: Mapping[ImageKey, Collection[int]] | None = None,
    ignored: IgnoredRegions | None = None,
) -> MatchedDetections:
    return match_detections(
        truth=truth,
        detections=run.detections,
        images=images,
        grouping=config.grouping,
        score_threshold=config.score_threshold,
        min_height_px=config.min_height_px,
        min_visible_share=min_visible_share,
        exhaustive_labels=exhaustive_labels,
        ignored=ignored,
    )


def _break_down_recall(
    evaluated: EvaluatedRun, matched: MatchedDetections, images: Collection[ImageKey], config: EvalConfig
) -> RecallBreakdown | None:
    """By what is known without the images; None where there is no object to be found."""
    distances_m = object_distances_m(
        matched.truth, timeline=evaluated.timeline, instants=evaluated.instants, objects=evaluated.objects, rig=None
    )
    sizes_px = {(camera, index): evaluated.timeline.image_sizes_px[camera] for camera, index in images}
    return break_down_recall(
        Conditions.of(matched, distances_m=distances_m, sizes_px=sizes_px),
        grouping=config.grouping,
        score_threshold=config.score_threshold,
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
    grouping: GroupingChoice,
    score_threshold: float,
    min_height_px: float,
    min_visible_share: float = 0.0,
    exhaustive_labels: Mapping[ImageKey, Collection[int]] | None = None,
    ignored: IgnoredRegions | None = None,
) -> tuple[DetectionReport, ...]:
    """``evaluate_detection`` once for each grouping of the classes that is asked for."""
    return tuple(
        evaluate_detection(
            truth=truth,
            detections=detections,
            grouping=counted_as,
            score_threshold=score_threshold,
            min_height_px=min_height_px,
            min_visible_share=min_visible_share,
            exhaustive_labels=exhaustive_labels,
            ignored=ignored,
            images=images,
        )
        for counted_as in groupings_of(grouping)
    )
