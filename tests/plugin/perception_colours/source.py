"""A drive that is drawn, not filmed: what ``--source drawn:INSTANTS`` opens."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from perception import Frame, FrameSet
from perception.plugins import SourceRequest


class DrawnSource:
    """A red box that moves by two pixels an instant, ten instants a second."""

    cameras = ("pen",)
    rig = None
    name = "drawn drive"
    rate_fps = 10.0
    is_live = False
    dropped = 0

    def __init__(self, length: int) -> None:
        self.length = length
        self.frame_counts = {"pen": length}
        self.warnings: list[str] = []

    def __iter__(self) -> Iterator[FrameSet]:
        for index in range(self.length):
            image = np.full((96, 160, 3), 90, np.uint8)
            image[40:60, 10 + 2 * index : 34 + 2 * index] = (230, 20, 20)
            frame = Frame(image, "pen", index * 100_000_000, index)
            yield FrameSet((frame,), frame.timestamp_ns, index)

    def close(self) -> None:
        """There is nothing to close."""


def open_source(request: SourceRequest) -> DrawnSource:
    """``drawn`` has 20 instants, ``drawn:12`` twelve."""
    return DrawnSource(int(request.argument or 20))
