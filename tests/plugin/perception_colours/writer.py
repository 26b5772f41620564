"""Where objects are, in one small file: what ``--writer positions`` opens."""

from __future__ import annotations

from pathlib import Path

from perception import Scene, UsageError
from perception.plugins import WriterRequest


class PositionWriter:
    """A line for each track and instant: index, id, and the centre over the image's width and height."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("w", encoding="utf-8")

    def write(self, scene: Scene) -> None:
        for track_id, mean in zip(scene.tracks.ids.tolist(), scene.tracks.means.tolist(), strict=True):
            self._stream.write(f"{scene.frame_set.index},{track_id},{mean[0]:.4f},{mean[1]:.4f}\n")

    def close(self) -> None:
        self._stream.close()


def open_writer(request: WriterRequest) -> PositionWriter:
    """``positions`` or ``positions:NAME.csv``."""
    if request.folder is None:
        raise UsageError("positions: has no folder to write into; leave --no-save away.")
    return PositionWriter(request.folder / (request.argument or "positions.csv"))
