"""From the scenes of runs, or the tables of finished ones, to their report."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from perception.errors import UsageError, counted
from perception.evaluation.core.latency_statistics import latency_report
from perception.evaluation.core.table_boxes import GroupingChoice, ImageKey, groupings_of
from perception.evaluation.detection.average_precision import DetectionReport, detection_report, evaluate_detection
from perception.evaluation.detection.confusion import confusion_matrix
from perception.evaluation.failures.gt_plausibility import gt_notes
from perception.evaluation.failures.recall_breakdown import break_down_recall
from perception.evaluation.failures.scenes import foremost
from perception.evaluation.forecasting.image import forecasting_report
from perception.evaluation.forecasting.target_sums import ForecastCounts
from perception.evaluation.report.count import EvalConfig, RunCounts, count_run
from perception.evaluation.report.evaluate_ground import ground_report
from perception.evaluation.report.report import Report, headline_figures, recording_spread
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.evaluation.tracking.ego_motion import ego_motion_report
from perception.evaluation.tracking.image import tracking_report
from perception.types import BoxTable, IgnoredRegions

Part = TypeVar("Part")

_SAMPLES = 1000
"""How often the bootstrap draws."""


def evaluate_run(
    *runs: EvaluatedRun,
    config: EvalConfig,
    rng: np.random.Generator,
    title: str | None = None,
    notes: Sequence[str] = (),
) -> Report:
    """Compare what a run found with the ground truth of its recording, over the instants that it processed.

    Several ``runs`` are measured together; each alone then gives its headline figures. ``title`` is that of the first
    run where none is given. Intervals are drawn from ``rng``.

    Raises ``UsageError`` where a run and its truth are not of the same recording, or where some runs are on the ground
    and others are not; ``ValueError`` without any run.
    """
    return report_of([count_run(run, config) for run in runs], config=config, rng=rng, title=title, notes=notes)


def report_of(
    parts: Sequence[RunCounts],
    *,
    config: EvalConfig,
    rng: np.random.Generator,
    title: str | None = None,
    notes: Sequence[str] = (),
) -> Report:
    """The report of recordings that were counted with ``config``, all together, and the headline figures of each.

    All metrics count over all recordings, as their authors join sequences; intervals are over the objects of all.
    Raises ``UsageError`` and ``ValueError`` as ``evaluate_run``.
    """
    if not parts:
        raise ValueError("runs: expected at least one, got none")
    if len({part.kind for part in parts}) > 1:
        raise UsageError(
            "The recordings are not of one kind (some have calibrated cameras, objects3d.csv, tracks or detections, "
            "others do not): evaluate them one by one."
        )
    if len(parts) == 1:
        return _report(parts, title or parts[0].title, config, rng, notes)
    named = [_with_names(part) for part in parts]
    # A figure of one recording is a mean, which needs no interval.
    figures = tuple(headline_figures(_report([part], part.title, config, rng, (), samples=0)) for part in parts)
    report = _report(named, title or parts[0].title, config, rng, notes)
    return replace(report, recordings=figures, spread=recording_spread(figures))


def _with_names(part: RunCounts) -> RunCounts:
    """With the name of the recording at each of its scenes and forecasts, which then stand among those of others."""
    return replace(
        part,
        scenes=tuple(replace(scene, recording=part.title) for scene in part.scenes),
        forecasting=tuple(_with_name(one, part.title) for one in part.forecasting),
        ground=None
        if part.ground is None
        else replace(part.ground, forecasting=tuple(_with_name(one, part.title) for one in part.ground.forecasting)),
    )


def _with_name(counts: ForecastCounts, title: str) -> ForecastCounts:
    return replace(counts, worst=tuple(replace(one, recording=title) for one in counts.worst))


def _report(
    parts: Sequence[RunCounts],
    title: str,
    config: EvalConfig,
    rng: np.random.Generator,
    notes: Sequence[str],
    *,
    samples: int = _SAMPLES,
) -> Report:
    grounds = [part.ground for part in parts if part.ground is not None]
    recalls = [part.recall for part in parts if part.recall is not None]
    confusions = [part.confusion for part in parts if part.confusion is not None]
    image_count = sum(part.image_count for part in parts)
    detected_count = sum(part.detected_image_count for part in parts)
    return Report(
        title=title,
        detection=tuple(
            detection_report(own, score_threshold=config.score_threshold)
            for own in _side_by_side([part.detection for part in parts])
        ),
        tracking=tuple(tracking_report(own) for own in _side_by_side([part.tracking for part in parts])),
        ground=ground_report(grounds, rng=rng, samples=samples) if grounds else None,
        forecasting=tuple(
            forecasting_report(own, rng=rng, bootstrap_samples=samples)
            for own in _side_by_side([part.forecasting for part in parts])
        ),
        latency=latency_report([part.stages for part in parts])
        if any(len(part.stages.times_ms) for part in parts)
        else None,
        ego_motion=ego_motion_report([part.ego_motion for part in parts if part.ego_motion is not None]),
        breakdown=break_down_recall(recalls, grouping=config.grouping, score_threshold=config.score_threshold)
        if recalls
        else None,
        confusion=confusion_matrix(confusions, score_threshold=config.score_threshold),
        notes=(
            *shortened([*notes, *dict.fromkeys(note for part in parts for note in part.notes)]),
            *gt_notes([part.doubts for part in parts]),
            *(() if detected_count == image_count else (_looked_at(detected_count, image_count),)),
        ),
        scenes=foremost([scene for part in parts for scene in part.scenes]),
    )


def shortened(notes: Sequence[str]) -> list[str]:
    """``notes`` with one sentence in place of several that are the same but for the file that they begin with."""
    places: dict[str, list[str]] = {}
    for note in notes:
        place, colon, rest = note.partition(": ")
        is_place = bool(colon) and " " not in place and "/" in place
        places.setdefault(rest if is_place else note, []).extend([place] if is_place else [])
    return [
        rest if not found else f"{found[0]}{f' and {len(found) - 1} more' if found[1:] else ''}: {rest}"
        for rest, found in places.items()
    ]


def _side_by_side(parts: Sequence[Sequence[Part]]) -> list[tuple[Part, ...]]:
    """What recordings have in the same place: a grouping of the classes, or a setting of forecasts."""
    return list(zip(*parts, strict=True))


def _looked_at(detected: int, count: int) -> str:
    return f"Detection is measured on the {detected:,} of {counted(count, 'image')} that the detector looked at."


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
