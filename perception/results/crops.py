"""``crops/<class>/<id>.jpg``: the picture of each track at its best score."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.files import atomic_write
from perception.protocols import Source
from perception.results.writer import seen_boxes
from perception.taxonomy import CLASSES
from perception.types import Scene

CROPS_FOLDER = "crops"
_JPEG_QUALITY = 95


class _Picture(NamedTuple):
    """The pixels (H, W, 3) of a track and the label that it has in them."""

    label: int
    pixels: NDArray[np.uint8]


class CropWriter:
    """Writes ``crops/`` into ``folder``, a track's picture when the track ends, or the run.

    A track that several cameras see has the picture of the best score among them. Boxes are cut at the picture's
    edge. Held in memory are the pictures of the tracks that live, so that it does not grow with the run but for a few
    bytes. Raises ``PerceptionError`` where a file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / CROPS_FOLDER
        self._best_scores: dict[int, float] = {}
        self._held: dict[int, _Picture] = {}
        self._written: dict[int, Path] = {}

    @classmethod
    def open(cls, folder: Path | None, source: Source) -> CropWriter:
        """As a ``WriterOpener``; a run with pictures has a folder."""
        if folder is None:
            raise ValueError("CropWriter.open: expected a folder")
        return cls(folder)

    def write(self, scene: Scene) -> None:
        """Keep what is better than all before, and write the pictures of the tracks that are gone."""
        images = {frame.camera: frame.image for frame in scene.frame_set}
        for camera, seen in seen_boxes(scene.tracks).items():
            rows = zip(seen.ids.tolist(), seen.labels.tolist(), seen.scores.tolist(), seen.boxes_xyxy_px, strict=True)
            for track_id, label, score, box in rows:
                self._offer(track_id, label, score, images[camera], box)
        live = set(scene.tracks.ids.tolist())
        self._write_out([track_id for track_id in self._held if track_id not in live])

    def close(self) -> None:
        """Write what is left; safe to call twice."""
        self._write_out(list(self._held))

    def _offer(self, track_id: int, label: int, score: float, image: NDArray[np.uint8], box: FloatArray) -> None:
        if score <= self._best_scores.get(track_id, -1.0):
            return
        pixels = _cut(image, box)
        if pixels.size:
            self._best_scores[track_id] = score
            self._held[track_id] = _Picture(label, pixels)

    def _write_out(self, track_ids: list[int]) -> None:
        for track_id in track_ids:
            picture = self._held.pop(track_id)
            path = self._folder / CLASSES[picture.label] / f"{track_id}.jpg"
            _write_jpeg(path, picture.pixels)
            # A track that comes back may be of another class in its better picture.
            before = self._written.get(track_id, path)
            if before != path:
                before.unlink(missing_ok=True)
            self._written[track_id] = path


def _cut(image: NDArray[np.uint8], box_xyxy_px: FloatArray) -> NDArray[np.uint8]:
    """A copy of the pixels that the box touches, as far as they lie in the image (H, W, 3)."""
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(box_xyxy_px[:2]), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(box_xyxy_px[2:]), 0, (width, height)).astype(int)
    return image[top:bottom, left:right].copy()


def _write_jpeg(path: Path, pixels: NDArray[np.uint8]) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    with atomic_write(path) as temporary:
        temporary.write_bytes(data.tobytes())
