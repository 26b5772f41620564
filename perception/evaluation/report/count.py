"""What a report needs of one recording: counts and sums that are added up over recordings, and no tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.evaluation.core.ground_truth import GroundScope
from perception.evaluation.core.image_dataset import ImageDataset
from perception.evaluation.core.latency_statistics import StageSamples
from perception.evaluation.core.records import InstantForecasts, Setting
from perception.evaluation.core.run_tables import RunTables
from perception.evaluation.core.table_boxes import GroupingChoice, ImageKey, groupings_of, in_images
from perception.evaluation.detection.average_precision import DetectionCounts, count_detection
from perception.evaluation.detection.confusion import ClassPairs, count_confusions, pair_classes
from perception.evaluation.failures.classify import MatchedDetections, match_detections
from perception.evaluation.failures.gt_plausibility import GtDoubts
from perception.evaluation.failures.object_distances import object_distances_m
from perception.evaluation.failures.recall_breakdown import Conditions, RecallCounts
from perception.evaluation.failures.scenes import (
    SceneEntry,
    foremost,
    identity_switches,
    worst_and_best,
    worst_forecast_scenes,
    wrong_classes,
)
from perception.evaluation.forecasting.image import count_forecasts
from perception.evaluation.forecasting.target_sums import ForecastCounts
from perception.evaluation.report.evaluate_ground import GroundCounts, count_ground
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.evaluation.tracking.ego_motion import EgoMotionErrors, ego_motion_errors
from perception.evaluation.tracking.image import TrackingCounts, count_tracking
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


@dataclass(frozen=True)
class RunCounts:
    """One recording, counted; ``report_of`` makes the report of one or of many.

    ``detection`` and ``tracking`` have one part for each grouping of the classes, ``forecasting`` one for each setting.
    ``recall`` and ``confusion`` are None without detections, ``confusion`` also for a truth without classes,
    ``ego_motion`` where it was not measured in the pictures or the poses are not known.
    ``kind`` states what was measured: only recordings of one kind have a common report. ``notes`` are sentences.
    """

    title: str
    kind: tuple[bool | str, ...]
    detection: tuple[DetectionCounts, ...]
    tracking: tuple[TrackingCounts, ...]
    ground: GroundCounts | None
    forecasting: tuple[ForecastCounts, ...]
    stages: StageSamples
    recall: RecallCounts | None
    confusion: NDArray[np.int64] | None
    ego_motion: EgoMotionErrors | None
    doubts: GtDoubts
    scenes: tuple[SceneEntry, ...]
    image_count: int
    detected_image_count: int
    notes: tuple[str, ...]


def count_run(evaluated: EvaluatedRun, config: EvalConfig) -> RunCounts:
    """Compare what a run found with the ground truth of its recording, over the instants that it processed.

    Raises ``UsageError`` where a run and its truth are not of the same recording.
    """
    run = evaluated.run
    detected_images = evaluated.detected_images
    is_image, has_detections = run.objects is None, "detections" not in run.lacks
    matched = match_run(evaluated, detected_images, config)
    pairs = _pair_classes(evaluated, detected_images, config)
    ground = None
    if evaluated.on_the_ground:
        ground = count_ground(evaluated, scope=config.scope, groupings=groupings_of(config.grouping))
    forecasting = _forecasting(evaluated) if is_image and "forecasts" not in run.lacks else ()
    return RunCounts(
        title=evaluated.title,
        kind=(is_image, evaluated.objects is None, evaluated.gt_records is None, *sorted(run.lacks)),
        detection=_detection(evaluated, detected_images, config) if has_detections else (),
        tracking=() if "tracks" in run.lacks else _tracking(evaluated, config),
        ground=ground,
        forecasting=forecasting,
        stages=StageSamples.of(run.stage_ms),
        recall=_recall(evaluated, matched, detected_images) if has_detections else None,
        confusion=count_confusions(pairs) if has_detections and pairs is not None else None,
        ego_motion=ego_motion_errors(run.records, evaluated.timeline, evaluated.rig),
        doubts=GtDoubts.of(matched, run.tracks),
        scenes=_scenes(evaluated, forecasting if ground is None else ground.forecasting, matched, pairs),
        image_count=len(evaluated.images),
        detected_image_count=len(detected_images),
        notes=(*evaluated.notes, *(() if is_image or evaluated.on_the_ground else (_NO_OBJECTS,))),
    )


def _scenes(
    evaluated: EvaluatedRun,
    forecasting: Sequence[ForecastCounts],
    matched: MatchedDetections,
    pairs: ClassPairs | None,
) -> tuple[SceneEntry, ...]:
    """What is worth looking at in the frames that the run processed."""
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
                unit="m" if evaluated.on_the_ground else "px",
            ),
        ]
    )


def _detection(
    evaluated: EvaluatedRun, images: Collection[ImageKey], config: EvalConfig
) -> tuple[DetectionCounts, ...]:
    """For each grouping of the classes that is asked for."""
    return tuple(
        count_detection(
            truth=evaluated.truth,
            detections=evaluated.run.detections,
            grouping=grouping,
            min_height_px=config.min_height_px,
            min_visible_share=config.image_visible_share,
            ignored=evaluated.ignored,
            images=images,
        )
        for grouping in groupings_of(config.grouping)
    )


def _tracking(evaluated: EvaluatedRun, config: EvalConfig) -> tuple[TrackingCounts, ...]:
    """In the image, for each grouping of the classes that is asked for."""
    images = evaluated.images
    return tuple(
        count_tracking(
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


def _pair_classes(evaluated: EvaluatedRun, images: Collection[ImageKey], config: EvalConfig) -> ClassPairs | None:
    return pair_classes(
        truth=evaluated.truth,
        detections=evaluated.run.detections,
        images=images,
        score_threshold=config.score_threshold,
        min_height_px=config.min_height_px,
        min_visible_share=config.image_visible_share,
        ignored=evaluated.ignored,
        grouping=config.grouping,
    )


def _recall(evaluated: EvaluatedRun, matched: MatchedDetections, images: Collection[ImageKey]) -> RecallCounts:
    """By what is known without the images."""
    distances_m = object_distances_m(
        matched.truth, timeline=evaluated.timeline, instants=evaluated.instants, objects=evaluated.objects, rig=None
    )
    sizes_px = {(camera, index): evaluated.timeline.image_sizes_px[camera] for camera, index in images}
    return RecallCounts.of(Conditions.of(matched, distances_m=distances_m, sizes_px=sizes_px))


def _forecasting(evaluated: EvaluatedRun) -> tuple[ForecastCounts, ...]:
    """In the image: on tracked boxes, and on ground-truth tracks where these were forecast."""
    settings: list[tuple[Setting, Sequence[InstantForecasts]]] = [("tracked", evaluated.run.records)]
    if evaluated.gt_records is not None:
        settings.append(("ground-truth tracks", evaluated.gt_records))
    return tuple(
        count_forecasts(
            records=records,
            truth=evaluated.by_instant,
            frame_timestamps_ns=evaluated.timeline.timestamps_ns,
            setting=setting,
        )
        for setting, records in settings
    )


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
