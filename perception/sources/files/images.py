"""A series of image files as a camera."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.sources.files.lazy_frame import LazyFrame, regular_timestamps_ns
from perception.sources.images import read_rgb

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
DEFAULT_RATE_FPS = 10.0


def natural_order(paths: Iterable[Path]) -> list[Path]:
    """Sorted with numbers by value: frame 2 comes before frame 10."""
    return sorted(
        paths,
        key=lambda path: [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(path))],
    )


def images_in(folder: Path) -> list[Path]:
    """The folder's image files in natural order; hidden files and other kinds do not count."""
    return natural_order(
        path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )


class ImageSeries:
    """Image files as the frames of one camera; they may differ in size.

    ``rate_fps`` or ``timestamps_ns`` (M,), one for each file, fix the times.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        name: str,
        rate_fps: float | None = None,
        timestamps_ns: NDArray[np.int64] | None = None,
    ) -> None:
        self.name = name
        self.warnings: list[str] = []
        self.rate_fps = rate_fps or DEFAULT_RATE_FPS
        self._paths = list(paths)
        self._timestamps_ns = timestamps_ns
        self._size_px: tuple[int, int] | None = None
        if timestamps_ns is not None and len(timestamps_ns) > 1:
            self.rate_fps = float(1e9 / np.median(np.diff(timestamps_ns)))

    @property
    def length(self) -> int:
        return len(self._paths)

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) of the first image. Raises ``UsageError`` when it cannot be read."""
        if self._size_px is None:
            height, width = read_rgb(self._paths[0]).shape[:2]
            self._size_px = (width, height)
        return self._size_px

    def timestamps_ns(self) -> NDArray[np.int64]:
        """Times of all images (length,)."""
        if self._timestamps_ns is not None:
            return self._timestamps_ns
        return regular_timestamps_ns(len(self._paths), self.rate_fps)

    def frames(self) -> Iterator[LazyFrame]:
        """The images in order; an unreadable one raises ``UsageError`` when its pixels are wanted."""
        for index, (path, timestamp_ns) in enumerate(zip(self._paths, self.timestamps_ns().tolist(), strict=True)):
            yield LazyFrame(timestamp_ns, index, partial(read_rgb, path))
