"""Boxes that come from elsewhere, behind the ``Detector`` protocol: read from files, handed out frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from perception.detection.settings import DetectionSettings
from perception.errors import UsageError, counted
from perception.tables.prediction_files import read_detections, read_mot_boxes, table_paths
from perception.types import NO_FEATURE_SPACE, BoxTable, Detections, Frame

_CAMERA = "{camera}"


class ResultsDetector:
    """Hands out the boxes that files hold for each frame of each camera, at most those that ``settings`` ask for.

    ``place`` is a file of the one camera, a name with ``{camera}`` in it for a file of each camera, or the folder of a
    run, whose ``detections.json`` are taken. A file is a MOTChallenge text of 7 to 10 columns (see ``read_mot_boxes``)
    or, with the ending ``.json``, a list of COCO results whose ``image_id`` is the frame (from 0), see
    ``read_detections``. ``frame_counts`` are the frames of each camera.

    Boxes are cut to the picture. They carry no features. Raises ``UsageError`` naming the file for what cannot be read
    and for frames past the camera's end, and in ``detect`` for a box that lies outside the picture.
    """

    feature_space = NO_FEATURE_SPACE
    feature_size = 0
    is_calibrated = False

    def __init__(self, place: str, settings: DetectionSettings, *, frame_counts: Mapping[str, int]) -> None:
        self.name = Path(place).stem.replace(_CAMERA, "") or "results"
        self.paths = _paths(place, list(frame_counts))
        self._boxes = {}
        for camera, path in self.paths.items():
            table = _read(path, camera)
            _check(path, table, camera, frame_counts[camera])
            is_wanted = (table.scores >= settings.confidence) & settings.allowed_labels[table.labels]
            wanted = table[is_wanted]
            self._boxes[camera] = wanted[np.argsort(wanted.frame_indices, kind="stable")]

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """The boxes of ``frames``, which are known by camera and index."""
        return [self._of(frame) for frame in frames]

    def _of(self, frame: Frame) -> Detections:
        table = self._boxes[frame.camera]
        start, end = np.searchsorted(table.frame_indices, [frame.index, frame.index + 1])
        found = table[start:end]
        width, height = frame.size_px
        boxes = np.clip(found.boxes_xyxy_px, 0, [width, height, width, height])
        # Our own files hold boxes whose last bit of width was rounded away; the tracker counts and ignores them.
        has_area = (found.boxes_xyxy_px[:, 2:] > found.boxes_xyxy_px[:, :2]).all(axis=1)
        is_outside = has_area & (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
        if is_outside.any():
            corners = ", ".join(f"{value:g}" for value in found.boxes_xyxy_px[np.argmax(is_outside)])
            raise UsageError(
                f"{self.paths[frame.camera]}: a box ({corners}) lies outside the picture of {width}x{height} pixels, "
                f"frame {frame.index} from 0 of camera {frame.camera}; give boxes of this recording in pixels."
            )
        return Detections(
            boxes_xyxy_px=boxes.astype(np.float32),
            scores=found.scores.astype(np.float32),
            labels=found.labels,
            features=np.zeros((len(found), 0), np.float32),
            camera=frame.camera,
            image_size_px=frame.size_px,
        )


def _paths(place: str, cameras: Sequence[str]) -> dict[str, Path]:
    """The file of each camera."""
    if not place:
        raise UsageError("results: names no file; give results:FILE.")
    if _CAMERA in place:
        return {camera: Path(place.replace(_CAMERA, camera)) for camera in cameras}
    if Path(place).is_dir():
        return table_paths(Path(place), "detections", ".json", cameras)
    if len(cameras) > 1:
        raise UsageError(
            f"{place}: holds boxes of one camera, and the source has {len(cameras)}; give a file for each as "
            f"results:boxes-{_CAMERA}.txt, or the folder of a run."
        )
    return {cameras[0]: Path(place)}


def _read(path: Path, camera: str) -> BoxTable:
    if path.suffix.lower() == ".json":
        return read_detections(path, camera=camera)
    return read_mot_boxes(path, camera=camera)


def _check(path: Path, table: BoxTable, camera: str, count: int) -> None:
    """Where many rows lie past the end, the file is of another recording."""
    if ((table.scores < 0) | (table.scores > 1)).any():
        raise UsageError(f"{path}: has scores from {table.scores.min():g} to {table.scores.max():g}; give 0 to 1.")
    past = table.frame_indices[table.frame_indices >= count]
    if len(past):
        raise UsageError(
            f"{path}: frame {past.max()} (from 0) lies past the end of the {counted(count, 'frame')} of "
            f"camera {camera} ({counted(len(past), 'box')} in all); give boxes of this recording."
        )
