"""What a camera's reader hands on: frames whose pixels are made only when they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from perception.sources.images import RgbImage
from perception.types import Frame


@dataclass(frozen=True)
class LazyFrame:
    """A frame of one camera before its conversion to RGB, so that a skipped frame costs no conversion.

    ``timestamp_ns`` is the time of capture, ``index`` counts all frames of the stream from 0. ``to_rgb`` gives None
    for a damaged picture, which its camera counts.
    """

    timestamp_ns: int
    index: int
    to_rgb: Callable[[], RgbImage | None]

    def frame(self, camera: str) -> Frame | None:
        """The frame with its pixels, None for a damaged one. Raises ``UsageError`` where there are none to be had."""
        image = self.to_rgb()
        if image is None:
            return None
        return Frame(image=image, camera=camera, timestamp_ns=self.timestamp_ns, index=self.index)


class RecordedCamera(Protocol):
    """A camera whose frames lie in files. ``frames`` may be called again and starts at the first frame."""

    name: str

    @property
    def rate_fps(self) -> float: ...
    @property
    def can_seek(self) -> bool:
        """Whether ``frames`` can begin in the middle, at the times that ``timestamps_ns`` states."""
        ...

    @property
    def length(self) -> int:
        """Number of frames according to the file's own index."""
        ...

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) of the first frame. Raises ``UsageError`` when it cannot be read."""
        ...

    @property
    def warnings(self) -> list[str]:
        """One sentence for each thing that was left out, filled while reading."""
        ...

    def timestamps_ns(self) -> NDArray[np.int64]:
        """Times of all frames, (length,), increasing; may read through the whole file."""
        ...

    def frames(self, first: int = 0) -> Iterator[LazyFrame]:
        """The frames from number ``first`` on; other numbers than 0 need ``can_seek``."""
        ...


def regular_timestamps_ns(count: int, rate_fps: float) -> NDArray[np.int64]:
    """(count,) times of frames at ``rate_fps``, the first at 0."""
    return np.round(np.arange(count) * (1e9 / rate_fps)).astype(np.int64)
