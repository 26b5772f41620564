"""What a detector fails on: the worst failures as pictures, and the conditions under which it misses objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.evaluation.core.image_dataset import DatasetImage, ImageDataset
from perception.evaluation.core.run_tables import RunTables
from perception.evaluation.failures.classify import judge
from perception.evaluation.failures.gallery import Album, make_album
from perception.evaluation.failures.object_distances import object_distances_m
from perception.evaluation.failures.rank import worst_failures
from perception.evaluation.failures.recall_breakdown import Conditions, break_down_recall
from perception.evaluation.report.evaluate import Measures
from perception.evaluation.report.report import Report
from perception.evaluation.runs.evaluated_run import MeasuredRun
from perception.geometry.cameras import Rig
from perception.types import Frame, FrameSet


@dataclass(frozen=True)
class FailureStudy:
    """The pictures of one run, and how each of its true objects was seen."""

    album: Album
    conditions: Conditions

    def in_folder(self, name: str) -> FailureStudy:
        """The same, for a list of pictures that lies beside the folder ``name`` with them."""
        entries = tuple(replace(entry, file=f"{name}/{entry.file}") for entry in self.album.entries)
        return replace(self, album=replace(self.album, entries=entries))


def study_run(
    measured: MeasuredRun, frame_sets: Iterable[FrameSet], *, rig: Rig | None, measures: Measures, count: int
) -> FailureStudy:
    """The ``count`` worst misses and false alarms of a run; ``frame_sets`` and ``rig`` are those of its recording."""
    images = measured.timeline.images(measured.instants)
    judged = judge(
        truth=measured.truth,
        detections=measured.run.detections,
        images=images,
        grouping=measures.grouping,
        score_threshold=measures.score_threshold,
        min_height_px=measures.min_height_px,
        min_visible_share=measures.image_visible_share,
    )
    album = make_album(
        (frame for frame_set in frame_sets for frame in frame_set if (frame.camera, frame.index) in images),
        worst_failures(judged, count=count, ids_span_cameras=measured.objects is not None),
        truth=measured.truth,
        detections=measured.run.detections,
        score_threshold=measures.score_threshold,
    )
    distances_m = object_distances_m(
        judged.truth, timeline=measured.timeline, instants=measured.instants, objects=measured.objects, rig=rig
    )
    return FailureStudy(album, Conditions.of(judged, distances_m=distances_m, brightness=album.brightness))


def study_images(
    labelled: ImageDataset,
    batches: Sequence[Sequence[DatasetImage]],
    run: RunTables,
    *,
    read_image: Callable[[Path], NDArray[np.uint8]],
    measures: Measures,
    count: int,
) -> FailureStudy:
    """The same of a run over ``batches``, some of the ``labelled`` images; ``read_image`` gives RGB (H, W, 3)."""
    images = [image for batch in batches for image in batch]
    judged = judge(
        truth=labelled.truth,
        detections=run.detections,
        images={image.key for image in images},
        grouping=measures.grouping,
        score_threshold=measures.score_threshold,
        min_height_px=measures.min_height_px,
        exhaustive_labels=labelled.exhaustive_labels,
    )
    album = make_album(
        (Frame(read_image(image.path), image.key[0], timestamp_ns=0, index=image.key[1]) for image in images),
        worst_failures(judged, count=count, sites={image.key: image.site for image in images}),
        truth=labelled.truth,
        detections=run.detections,
        score_threshold=measures.score_threshold,
        file_names={image.key: image.path.name for image in images},
    )
    return FailureStudy(album, Conditions.of(judged, brightness=album.brightness))


def with_failures(report: Report, studies: Sequence[FailureStudy], measures: Measures) -> Report:
    """``report`` with the breakdown of recall over all ``studies`` and the list of their pictures."""
    if not studies:
        return report
    breakdown = break_down_recall(
        Conditions.joined([study.conditions for study in studies]),
        grouping=measures.grouping,
        score_threshold=measures.score_threshold,
    )
    entries = [entry for study in studies for entry in study.album.entries]
    return replace(report, breakdown=breakdown, failures=tuple(entries))
