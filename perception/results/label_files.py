"""``labels/``: the tracks of a run as YOLO's text, a file for each frame, empty where nothing is seen.

A line has class, centre x and y, width and height over the picture's size, score and id. ``classes.txt`` names the
classes by their numbers. The digits at the end of a file's name count the frames of its camera from 1. With several
cameras each has a folder of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from perception.files import write_text
from perception.protocols import Source
from perception.results.formats.yolo import yolo_lines
from perception.results.run_folder import safe_name
from perception.results.writer import SeenBoxes, seen_boxes
from perception.tables.prediction_files import table_paths
from perception.taxonomy import CLASSES
from perception.types import Scene

LABELS_FOLDER = "labels"


class LabelWriter:
    """Writes ``labels/`` into ``folder``, each file whole; ``name`` begins the files' names.

    Raises ``PerceptionError`` where a file cannot be written.
    """

    def __init__(self, folder: Path, *, name: str, cameras: Sequence[str]) -> None:
        labels = folder / LABELS_FOLDER
        self._folders = _folders(labels, cameras)
        self._name = safe_name(name)
        write_text(labels / "classes.txt", "".join(f"{name}\n" for name in CLASSES))

    @classmethod
    def open(cls, folder: Path | None, source: Source) -> LabelWriter:
        """As a ``WriterOpener``; a run with labels has a folder."""
        if folder is None:
            raise ValueError("LabelWriter.open: expected a folder")
        return cls(folder, name=source.name, cameras=source.cameras)

    def write(self, scene: Scene) -> None:
        """Write a file for each frame of one instant."""
        seen = seen_boxes(scene.tracks)
        for frame in scene.frame_set:
            path = self._folders[frame.camera] / f"{self._name}_{frame.index + 1:06d}.txt"
            write_text(path, _lines(seen.get(frame.camera), frame.size_px))

    def close(self) -> None:
        """Nothing is held back; safe to call twice."""


def _folders(labels: Path, cameras: Sequence[str]) -> dict[str, Path]:
    """One camera has ``labels`` itself, several have a folder in it each."""
    if len(cameras) == 1:
        return {cameras[0]: labels}
    named = table_paths(labels, "", "", cameras)
    return {camera: path.with_name(path.name.removeprefix("_")) for camera, path in named.items()}


def _lines(seen: SeenBoxes | None, size_px: tuple[int, int]) -> str:
    if seen is None:
        return ""
    return yolo_lines(seen.boxes_xyxy_px, seen.labels, size_px, scores=seen.scores, ids=seen.ids)
