"""``tracks.csv``: one table of the tracks of a run, of all cameras.

| column | meaning |
|---|---|
| ``frame`` | the frame in its camera's stream, from 0 |
| ``time_s`` | the instant in seconds, as the source counts them |
| ``camera`` | its name |
| ``id``, ``class``, ``score`` | the track, the name of its class, and the score of the detection |
| ``x1``, ``y1``, ``x2``, ``y2`` | the box in pixels: upper left and lower right corner |
| ``x_m``, ``y_m``, ``speed_mps`` | only on the ground: the centre in the world in metres, and the speed |
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from perception.protocols import Source
from perception.results.append_file import AppendFile
from perception.results.writer import SeenBoxes, seen_boxes
from perception.taxonomy import CLASSES
from perception.types import Scene, Tracks

TRACKS_CSV = "tracks.csv"
_COLUMNS = ("frame", "time_s", "camera", "id", "class", "score", "x1", "y1", "x2", "y2")
_GROUND_COLUMNS = ("x_m", "y_m", "speed_mps")


class TrackCsvWriter:
    """Writes ``tracks.csv`` into ``folder``; each instant is on disk, whole, when ``write`` returns.

    Raises ``PerceptionError`` where the file exists or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / TRACKS_CSV
        self._file: AppendFile | None = None

    @classmethod
    def open(cls, folder: Path | None, source: Source) -> TrackCsvWriter:
        """As a ``WriterOpener``; a run with this table has a folder."""
        if folder is None:
            raise ValueError("TrackCsvWriter.open: expected a folder")
        return cls(folder)

    def write(self, scene: Scene) -> None:
        """Append a line for each track and camera that sees it."""
        if len(scene.tracks) == 0:
            return  # an instant without tracks need not say in which frame they will be
        file = self._opened(is_ground=scene.tracks.reference_frame == "ground")
        indices = {frame.camera: frame.index for frame in scene.frame_set}
        rows = [
            (indices[camera], f"{scene.timestamp_ns / 1e9:.6f}", camera, *row)
            for camera, seen in seen_boxes(scene.tracks).items()
            for row in _rows(seen, scene.tracks)
        ]
        if rows:
            file.append(_lines(rows))

    def close(self) -> None:
        """Finish the file, which has its header in any case; safe to call twice."""
        self._opened(is_ground=False).close()

    def _opened(self, *, is_ground: bool) -> AppendFile:
        if self._file is None:
            columns = (*_COLUMNS, *_GROUND_COLUMNS) if is_ground else _COLUMNS
            self._file = AppendFile(self._path, header=_lines([columns]))
        return self._file


def _rows(seen: SeenBoxes, tracks: Tracks) -> list[tuple[object, ...]]:
    """What a line has behind its camera."""
    boxes = [[f"{value:.2f}" for value in box] for box in seen.boxes_xyxy_px.tolist()]
    numbers = zip(
        seen.ids.tolist(), seen.labels.tolist(), seen.scores.tolist(), boxes, _ground(seen, tracks), strict=True
    )
    return [
        (track_id, CLASSES[label], f"{score:.4f}", *box, *ground) for track_id, label, score, box, ground in numbers
    ]


def _ground(seen: SeenBoxes, tracks: Tracks) -> list[list[str]]:
    """Position and speed of each track that is seen; nothing in the image."""
    if tracks.reference_frame != "ground":
        return [[] for _ in seen.ids]
    order = np.argsort(tracks.ids)
    rows = order[np.searchsorted(tracks.ids[order], seen.ids)]
    # Adding zero turns the -0.0 that rounding leaves into 0.0.
    values = np.round(np.column_stack([tracks.positions, tracks.speeds_mps])[rows].astype(np.float64), 3) + 0.0
    return [[f"{value:.3f}" for value in row] for row in values.tolist()]


def _lines(rows: list[tuple[object, ...]]) -> bytes:
    # A camera's name may hold a comma.
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
