"""A camera of whose frames only the labels are there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from perception.errors import UsageError
from perception.sources.files.lazy_frame import LazyFrame, regular_timestamps_ns
from perception.sources.images import RgbImage


class UnseenCamera:
    """``length`` frames at ``rate_fps`` of ``size_px`` (width, height), which can be counted but not looked at.

    ``timestamps_ns`` (length,) are their times where these are known. ``place`` is named where somebody wants their
    pixels, which is a ``UsageError``.
    """

    can_seek = True

    def __init__(
        self,
        *,
        name: str,
        length: int,
        size_px: tuple[int, int],
        rate_fps: float,
        place: str,
        timestamps_ns: NDArray[np.int64] | None = None,
    ) -> None:
        self.name = name
        self.length = length
        self.size_px = size_px
        self.rate_fps = rate_fps
        self.warnings: list[str] = []
        self._place = place
        self._timestamps_ns = timestamps_ns

    def timestamps_ns(self) -> NDArray[np.int64]:
        """Times of all frames (length,)."""
        return regular_timestamps_ns(self.length, self.rate_fps) if self._timestamps_ns is None else self._timestamps_ns

    def frames(self, first: int = 0) -> Iterator[LazyFrame]:
        """The frames in order, whose pixels cannot be had."""
        for index, timestamp_ns in enumerate(self.timestamps_ns()[first:].tolist(), first):
            yield LazyFrame(timestamp_ns, index, partial(_refuse, self._place))


def _refuse(place: str) -> RgbImage:
    raise UsageError(f"{place}: has labels and no pictures; copy the pictures there.")
