"""A series of image files as a camera."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.errors import UsageError, counted
from perception.sources.files.lazy_frame import LazyFrame, regular_timestamps_ns
from perception.sources.images import RgbImage, read_rgb

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
    """Image files as the frames of one camera; they may differ in size. Unreadable ones are passed over and counted.

    ``rate_fps`` or ``timestamps_ns`` (M,), one for each file, fix the times.
    """

    can_seek = True

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        name: str,
        rate_fps: float | None = None,
        timestamps_ns: NDArray[np.int64] | None = None,
    ) -> None:
        self.name = name
        self.rate_fps = rate_fps or DEFAULT_RATE_FPS
        self._paths = list(paths)
        self._timestamps_ns = timestamps_ns
        self._size_px: tuple[int, int] | None = None
        self._faults: list[UsageError] = []
        self._readable_count = 0
        if timestamps_ns is not None and len(timestamps_ns) > 1:
            self.rate_fps = float(1e9 / np.median(np.diff(timestamps_ns)))

    @property
    def length(self) -> int:
        return len(self._paths)

    @property
    def suffix(self) -> str:
        """Of the first image's file, in small letters, such as ".png"."""
        return self._paths[0].suffix.lower()

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) of the first image that can be read. Raises ``UsageError`` when none can."""
        if self._size_px is None:
            found = map(_image_or_fault, self._paths)
            first = next((image for image in found if not isinstance(image, UsageError)), None)
            height, width = (read_rgb(self._paths[0]) if first is None else first).shape[:2]
            self._size_px = (width, height)
        return self._size_px

    @property
    def warnings(self) -> list[str]:
        """A sentence that counts the unreadable images that were looked at."""
        if not self._faults:
            return []
        damaged = f"{counted(len(self._faults), 'damaged image')} of {self.length:,} left out"
        return [f"{self._paths[0].parent}: {damaged}, the first: {self._faults[0].message}"]

    def timestamps_ns(self) -> NDArray[np.int64]:
        """Times of all images (length,)."""
        if self._timestamps_ns is not None:
            return self._timestamps_ns
        return regular_timestamps_ns(len(self._paths), self.rate_fps)

    def frames(self, first: int = 0) -> Iterator[LazyFrame]:
        """The images in order, from number ``first`` on.

        Raises ``UsageError`` at the end where not one of those that were looked at could be read.
        """
        self._faults, self._readable_count = [], 0
        times_ns = self.timestamps_ns().tolist()
        for index in range(first, self.length):
            yield LazyFrame(times_ns[index], index, partial(self._rgb, self._paths[index]))
        if self._faults and not self._readable_count:
            raise self._faults[0]

    def _rgb(self, path: Path) -> RgbImage | None:
        found = _image_or_fault(path)
        if isinstance(found, UsageError):
            self._faults.append(found)
            return None
        self._readable_count += 1
        return found


def _image_or_fault(path: Path) -> RgbImage | UsageError:
    try:
        return read_rgb(path)
    except UsageError as fault:
        return fault
