"""What a detector fails on: the worst failures as pictures, and the conditions under which it misses objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.evaluation.core.image_dataset import DatasetImage, ImageDataset
from perception.evaluation.core.run_tables import RunTables
from perception.evaluation.failures.gallery import Gallery, make_gallery
from perception.evaluation.failures.object_distances import object_distances_m
from perception.evaluation.failures.rank import worst_failures
from perception.evaluation.failures.recall_breakdown import Conditions, RecallCounts, break_down_recall
from perception.evaluation.report.count import EvalConfig, match_images, match_run
from perception.evaluation.report.report import Report
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.geometry.cameras import Rig
from perception.types import Frame, FrameSet


@dataclass(frozen=True)
class FailureAnalysis:
    """The pictures of one run, and how many of its true objects were found under which conditions."""

    gallery: Gallery
    recall: RecallCounts

    def in_folder(self, name: str) -> FailureAnalysis:
        """The same, for a list of pictures that lies beside the folder ``name`` with them."""
        entries = tuple(replace(entry, file=f"{name}/{entry.file}") for entry in self.gallery.entries)
        files = {f"{name}/{file}": content for file, content in self.gallery.files.items()}
        return replace(self, gallery=replace(self.gallery, entries=entries, files=files))


def analyse_run_failures(
    evaluated: EvaluatedRun, frame_sets: Iterable[FrameSet], *, rig: Rig | None, config: EvalConfig, count: int
) -> FailureAnalysis:
    """The ``count`` worst misses and false positives of a run; ``frame_sets`` and ``rig`` are its recording's."""
    images = evaluated.detected_images
    matched = match_run(evaluated, images, config)
    gallery = make_gallery(
        (frame for frame_set in frame_sets for frame in frame_set if (frame.camera, frame.index) in images),
        worst_failures(matched, count=count, ids_span_cameras=evaluated.objects is not None),
        truth=evaluated.truth,
        detections=evaluated.run.detections,
        score_threshold=config.score_threshold,
    )
    distances_m = object_distances_m(
        matched.truth, timeline=evaluated.timeline, instants=evaluated.instants, objects=evaluated.objects, rig=rig
    )
    conditions = Conditions.of(
        matched, distances_m=distances_m, brightness=gallery.brightness, sizes_px=gallery.sizes_px
    )
    return FailureAnalysis(gallery, RecallCounts.of(conditions))


def analyse_image_failures(
    labelled: ImageDataset,
    batches: Sequence[Sequence[DatasetImage]],
    run: RunTables,
    *,
    read_image: Callable[[Path], NDArray[np.uint8]],
    config: EvalConfig,
    count: int,
) -> FailureAnalysis:
    """The same of a run over ``batches``, some of the ``labelled`` images; ``read_image`` gives RGB (H, W, 3)."""
    images = [image for batch in batches for image in batch]
    matched = match_images(labelled, run, {image.key for image in images}, config)
    gallery = make_gallery(
        (Frame(read_image(image.path), image.key[0], timestamp_ns=0, index=image.key[1]) for image in images),
        worst_failures(matched, count=count, sites={image.key: image.site for image in images}),
        truth=labelled.truth,
        detections=run.detections,
        score_threshold=config.score_threshold,
        file_names={image.key: image.path.name for image in images},
    )
    conditions = Conditions.of(matched, brightness=gallery.brightness, sizes_px=gallery.sizes_px)
    return FailureAnalysis(gallery, RecallCounts.of(conditions))


def with_failures(report: Report, studies: Sequence[FailureAnalysis], config: EvalConfig) -> Report:
    """``report`` with the breakdown of recall over all ``studies`` and the list of their pictures."""
    if not studies:
        return report
    breakdown = break_down_recall(
        [study.recall for study in studies],
        grouping=config.grouping,
        score_threshold=config.score_threshold,
    )
    entries = [entry for study in studies for entry in study.gallery.entries]
    return replace(report, breakdown=breakdown, failures=tuple(entries))
