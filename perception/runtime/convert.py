"""Writes the boxes of a run, or of a truth, in the formats of other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from perception.errors import UsageError
from perception.evaluation.core.image_dataset import ImageDataset
from perception.evaluation.core.run_tables import join_tables
from perception.evaluation.runs.label_folders import pictures_of
from perception.evaluation.runs.truth import find_recordings, read_recording
from perception.results import ForecastRecord, output_folder
from perception.results.formats.coco import write_coco_labels, write_coco_results
from perception.results.formats.cvat import write_cvat
from perception.results.formats.forecast_csv import write_forecast_csv
from perception.results.formats.kitti import write_kitti_object, write_kitti_tracking
from perception.results.formats.mot import write_mot
from perception.results.formats.nuscenes_tracking import write_nuscenes_tracking
from perception.results.formats.pictures import Picture, PictureIndex
from perception.results.formats.run_folder import is_run_folder, read_run_folder
from perception.results.formats.yolo import write_yolo
from perception.results.reader import cameras_of, read_forecasts, read_results
from perception.results.writer import FORECASTS_FILE
from perception.runtime.evaluate_predictions import read_pictures
from perception.runtime.run_metadata import need_run_source
from perception.types import BoxTable

LabelFormat = Literal["mot", "coco", "kitti", "yolo", "cvat", "csv", "nuscenes-tracking"]
"""What boxes can be written as; ``csv`` has forecasts, ``nuscenes-tracking`` tracks in the world."""


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The boxes of the pictures that one camera took, or of single pictures.

    ``tracks`` have ids, ``detections`` scores; a truth has one table for both. ``forecasts`` are those of a run.
    ``stems`` are the names of the pictures' files, ``ids`` their ids, ``sizes_px`` their widths and heights where these
    are known.
    """

    name: str
    tracks: BoxTable | None
    detections: BoxTable | None
    stems: Mapping[Picture, str]
    ids: Mapping[Picture, int | str]
    sizes_px: Mapping[Picture, tuple[int, int]]
    is_truth: bool
    is_recording: bool = True
    forecasts: tuple[ForecastRecord, ...] | None = None

    @property
    def boxes(self) -> BoxTable:
        """The detections, else the tracks. Raises ``UsageError`` without both."""
        return _found(self.tracks if self.detections is None else self.detections, self.name, "boxes")

    @property
    def identified(self) -> BoxTable:
        """The tracks. Raises ``UsageError`` without them."""
        return _found(self.tracks, self.name, "tracks")

    @property
    def sized(self) -> Mapping[Picture, tuple[int, int]]:
        """The sizes of all pictures. Raises ``UsageError`` where one is not known."""
        if not self.stems.keys() <= self.sizes_px.keys():
            raise UsageError(f"{self.name}: the size of its pictures is unknown; convert to another format.")
        return self.sizes_px


def convert_labels(source: str | Path, to: LabelFormat, output: Path) -> Path:
    """Write all boxes of ``source``, a run or a truth, into the folder ``output``, which is returned.

    Raises ``UsageError`` where ``source`` is neither, or does not hold what the format is for.
    """
    if to == "nuscenes-tracking":
        return _convert_world(source, output)
    parts = read_labels(source)
    writer = _WRITERS[to]
    # What can be wrong shows before anything is written.
    for part in parts:
        _check(part, to)
    folder = output_folder(output)
    for part in parts:
        writer(folder, part)
    return folder


def _convert_world(source: str | Path, output: Path) -> Path:
    """Write the tracks of a run over scenes of nuScenes, or its annotations, as one file for the challenge."""
    folder = Path(source)
    is_run = folder.is_dir() and is_run_folder(folder)
    found = []
    for recording in find_recordings(need_run_source(folder) if is_run else source):
        known = read_recording(recording)
        objects = read_results(folder).objects if is_run else known.truth.objects
        if known.pictures.samples is None:
            raise UsageError(f"{known.pictures.name}: is no scene of nuScenes; choose another format.", field="to")
        if objects is None:
            raise UsageError(f"{source}: has no tracks on the ground; choose another format.", field="to")
        found.append((objects, known.pictures.samples))
        if is_run:
            break  # a run over a whole data set is one over its first scene
    if not found:
        raise UsageError(f"{source}: is no recording and no run; choose another format.", field="to")
    written = output_folder(output)
    write_nuscenes_tracking(written / f"{folder.resolve().name}.json", found, is_truth=not is_run)
    return written


def read_labels(source: str | Path) -> list[Labels]:
    """One for each camera of a run or of each recording of a truth, or one of single pictures."""
    if Path(source).is_dir() and is_run_folder(Path(source)):
        return _of_run(Path(source))
    recordings = find_recordings(source)
    if not recordings:
        return [_of_pictures(str(source), read_pictures(Path(source)))]
    parts = []
    for recording in recordings:
        known = read_recording(recording)
        cameras = known.pictures.frame_counts
        parts += [
            _of_camera(
                known.name if len(cameras) == 1 else f"{known.name}_{camera}",
                replace(known.pictures, frame_counts={camera: count}),
                known.truth.boxes[known.truth.boxes.cameras == camera],
            )
            for camera, count in cameras.items()
        ]
    return parts


def _of_run(folder: Path) -> list[Labels]:
    records = read_forecasts(folder / FORECASTS_FILE) if (folder / FORECASTS_FILE).is_file() else None
    cameras = cameras_of(folder)
    pictures = PictureIndex(name=str(folder), frame_counts=dict.fromkeys(cameras, np.iinfo(np.int64).max))
    found = read_run_folder(folder, pictures)
    run = found.run
    tracks = found.tracks if run is None else run.tracks
    detections = found.detections
    if run is not None:
        detections = join_tables(list(run.detections.values()))
    sizes = {
        str(camera): (int(width), int(height))
        for record in records or ()
        for camera, (width, height) in zip(record.cameras, record.image_sizes_px, strict=True)
    }
    name = folder.resolve().name
    parts = []
    for camera in cameras:
        of_camera = [None if table is None else table[table.cameras == camera] for table in (tracks, detections)]
        last = max((int(table.frame_indices.max(initial=-1)) for table in of_camera if table is not None), default=-1)
        count = max(last, max((record.index for record in records or ()), default=-1)) + 1
        of_this = name if len(cameras) == 1 else f"{name}_{camera}"
        frames = {(camera, frame): f"{of_this}_{frame + 1:06d}" for frame in range(count)}
        parts.append(
            Labels(
                name=of_this,
                tracks=of_camera[0],
                detections=of_camera[1],
                stems=frames,
                ids={picture: picture[1] for picture in frames},
                sizes_px=dict.fromkeys(frames, sizes[camera]) if camera in sizes else {},
                is_truth=False,
                forecasts=records,
            )
        )
    return parts


def _of_camera(name: str, pictures: PictureIndex, table: BoxTable) -> Labels:
    camera, count = pictures.camera, pictures.frame_counts[pictures.camera]
    frames = {(camera, frame): f"{name}_{frame + 1:06d}" for frame in range(count)}
    return Labels(
        name=name,
        tracks=table,
        detections=table,
        stems=frames,
        ids={picture: picture[1] for picture in frames},
        sizes_px=dict.fromkeys(frames, pictures.size_px(camera, 0)),
        is_truth=True,
    )


def _of_pictures(name: str, labelled: ImageDataset) -> Labels:
    index = pictures_of(labelled, name)
    stems = {picture: stem for stem, picture in index.stems.items()}
    ids = {picture: int(one) if one.isdecimal() else one for one, picture in index.ids.items()}
    return Labels(
        name=Path(name).stem,
        tracks=None,
        detections=labelled.truth,
        stems=stems,
        ids=ids or {picture: number for number, picture in enumerate(stems)},
        sizes_px=index.sizes_px,
        is_truth=True,
        is_recording=False,
    )


def _found(table: BoxTable | None, name: str, what: str) -> BoxTable:
    if table is None:
        raise UsageError(f"{name}: has no {what}; choose another format.", field="to")
    return table


def _check(part: Labels, to: LabelFormat) -> None:
    """Raise ``UsageError`` where ``part`` lacks what the format is for."""
    if to in ("mot", "cvat"):
        _ = part.identified
    if to in ("yolo", "cvat"):
        _ = part.sized
    if to == "csv" and part.forecasts is None:
        raise UsageError(f"{part.name}: has no forecasts; choose another format.", field="to")
    _ = part.boxes


def _write_coco(folder: Path, part: Labels) -> None:
    path = folder / f"{part.name}.json"
    if part.is_truth:
        write_coco_labels(path, part.boxes, ids=part.ids, stems=part.stems, sizes_px=part.sizes_px)
    else:
        write_coco_results(path, part.boxes, part.ids)


def _write_kitti(folder: Path, part: Labels) -> None:
    if part.is_recording and part.tracks is not None:
        write_kitti_tracking(folder / f"{part.name}.txt", part.tracks, has_scores=not part.is_truth)
    else:
        write_kitti_object(folder, part.boxes, part.stems, has_scores=not part.is_truth)


def _write_cvat(folder: Path, part: Labels) -> None:
    size_px = next(iter(part.sized.values()), (0, 0))
    write_cvat(
        folder / f"{part.name}.xml", part.identified, name=part.name, size_px=size_px, frame_count=len(part.stems)
    )


def _write_csv(folder: Path, part: Labels) -> None:
    camera = next((camera for camera, _ in part.stems), "")
    write_forecast_csv(folder / f"{part.name}.csv", part.forecasts or (), camera=camera)


_WRITERS: Mapping[str, Callable[[Path, Labels], None]] = {
    "mot": lambda folder, part: write_mot(folder / f"{part.name}.txt", part.identified),
    "coco": _write_coco,
    "kitti": _write_kitti,
    "yolo": lambda folder, part: write_yolo(folder, part.boxes, part.stems, part.sized, has_scores=not part.is_truth),
    "cvat": _write_cvat,
    "csv": _write_csv,
}
