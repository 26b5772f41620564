"""The truths that one name stands for, a recording each, and how predictions find their pictures in them."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from perception.errors import UsageError
from perception.evaluation.core.timeline import Timeline
from perception.results.formats.pictures import PictureIndex, SampleNames
from perception.sources import open_source, read_box_truth, read_objects
from perception.sources.dataset_formats import DatasetFolder, find_dataset
from perception.sources.files.images import natural_order
from perception.sources.truth.box_truth import doubts_on_boxes
from perception.taxonomy import CLASSES
from perception.types import ANY_LABEL, BoxTable, IgnoredRegions, ObjectTable


@dataclass(frozen=True)
class GroundTruth:
    """True ``boxes`` in the images and, where a recording knows them, true ``objects`` in the world.

    ``ignored`` are the regions of which it does not speak, ``notes`` sentences on how it was read. ``has_classes`` is
    False where it does not say what its objects are. ``class_labels`` leads from its own numbers of classes to ours.
    """

    boxes: BoxTable
    objects: ObjectTable | None
    ignored: IgnoredRegions
    notes: tuple[str, ...] = ()
    has_classes: bool = True
    class_labels: Mapping[int, int] | None = None

    def of_classes(self, classes: Sequence[str] | None) -> GroundTruth:
        """What speaks of ``classes`` alone; all of it for None."""
        if classes is None:
            return self
        labels = [CLASSES.index(name) for name in classes]
        objects = self.objects
        return replace(
            self,
            boxes=self.boxes[np.isin(self.boxes.labels, labels)],
            objects=None if objects is None else objects[np.isin(objects.labels, labels)],
            ignored=self.ignored[np.isin(self.ignored.labels, [*labels, ANY_LABEL])],
        )


def read_ground_truth(
    recording: str | Path, elsewhere: str | Path | None = None, *, classes: Sequence[str] | None = None
) -> GroundTruth | None:
    """The truth of a recording, its boxes from ``elsewhere`` where that is given; None where there are none.

    Only of ``classes`` where these are given; then a truth that knows no classes is none. Read before a run, so that an
    error is reported then and not at its end: raises ``UsageError``.
    """
    truth = read_box_truth(str(elsewhere or recording))
    if truth is None or (classes is not None and not truth.has_classes):
        return None
    objects = read_objects(str(recording))
    notes = (*truth.notes, *doubts_on_boxes(truth.boxes))
    found = GroundTruth(truth.boxes, objects, truth.ignored, notes, truth.has_classes, truth.class_labels)
    return found.of_classes(classes)


def need_ground_truth(
    recording: str | Path, elsewhere: str | Path | None = None, *, classes: Sequence[str] | None = None
) -> GroundTruth:
    """The same; raises ``UsageError`` also where there is none."""
    truth = read_ground_truth(recording, elsewhere, classes=classes)
    if truth is None:
        which = "" if classes is None else " that says which objects are of the wanted `classes`"
        raise UsageError(f"{elsewhere or recording}: has no ground truth{which} (gt.txt or objects.csv).")
    return truth


@dataclass(frozen=True)
class TrueRecording:
    """The truth of one recording, its instants, and the names of its pictures."""

    name: str
    truth: GroundTruth
    timeline: Timeline
    pictures: PictureIndex


def find_recordings(spec: str | Path) -> list[DatasetFolder]:
    """The recordings of a folder, of a folder of such folders, or of a glob; none where they are single pictures.

    Raises ``UsageError`` where a glob matches something else, too.
    """
    return [one for dataset in find_datasets(spec) for one in dataset.drives]


def find_datasets(spec: str | Path) -> list[DatasetFolder]:
    """The same, but one for a folder that holds several recordings."""
    dataset = find_dataset(spec)
    if dataset is not None:
        return [dataset]
    if any(sign in str(spec) for sign in "*?["):
        paths = natural_order(map(Path, glob.glob(str(spec))))  # noqa: PTH207 - Path.glob takes no absolute pattern
        if not paths:
            raise UsageError(f"{spec}: no folder matches; check the pattern.")
        found = [find_dataset(path) for path in paths]
        if None in found:
            raise UsageError(f"{paths[found.index(None)]}: is no recording; narrow the pattern.")
        return [folder for folder in found if folder is not None]
    inner = natural_order(path for path in Path(spec).iterdir() if path.is_dir()) if Path(spec).is_dir() else []
    return [folder for path in inner if (folder := find_dataset(path)) is not None]


def name_of(dataset: DatasetFolder) -> str:
    """What files of predictions call a recording."""
    return dataset.drive or dataset.folder.resolve().name


def spec_of(dataset: DatasetFolder) -> str:
    """What ``open_source`` calls it."""
    return str(dataset.folder) if dataset.drive is None else f"{dataset.folder}#{dataset.drive}"


def read_recording(dataset: DatasetFolder, *, classes: Sequence[str] | None = None) -> TrueRecording:
    """The truth of one recording, whose pictures may be missing; only of ``classes`` where these are given.

    Raises ``UsageError`` naming the file that is wrong, and where there is no truth.
    """
    spec = spec_of(dataset)
    truth = need_ground_truth(spec, classes=classes)
    recording = dataset.open_labels()
    if len(recording.cameras) == 1:
        timeline = Timeline.of_camera(recording.cameras[0], recording.poses)
    elif recording.instants is not None:
        timeline = Timeline.of_instants(recording.cameras, recording.instants, recording.poses)
    else:
        with closing(open_source([spec])) as source:
            timeline = Timeline.of(source)
    labels = np.unique(truth.boxes.labels).tolist()
    return TrueRecording(
        name=name_of(dataset),
        truth=truth,
        timeline=timeline,
        pictures=PictureIndex(
            name=spec,
            frame_counts={camera: len(of_frame) for camera, of_frame in timeline.instant_of_frame.items()},
            sizes_px=timeline.image_sizes_px,
            times_ns=timeline.timestamps_ns if len(timeline.instant_of_frame) == 1 else None,
            samples=_sample_names(dataset),
            labels=truth.class_labels,
            only_label=labels[0] if len(labels) == 1 else None,
        ),
    )


def _sample_names(dataset: DatasetFolder) -> SampleNames | None:
    samples = dataset.samples()
    return None if samples is None else SampleNames(**vars(samples))
