"""A plug-in's source, with the stride and the rig that the user asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from perception.geometry.cameras import Rig
from perception.protocols import Source
from perception.sources.base import SourceBase
from perception.sources.time_span import TimeSpan
from perception.types import FrameSet


class AdaptedSource(SourceBase):
    """Every ``stride``-th instant in ``span`` of ``source``, whose cameras ``rig`` calibrates, else its own.

    Images of a distorting lens are undistorted. ``notes`` are reported beside the source's own warnings. Iterating
    raises ``UsageError`` for an image that has not the size of its camera's calibration.
    """

    def __init__(
        self,
        source: Source,
        *,
        name: str,
        stride: int,
        rig: Rig | None,
        notes: Sequence[str] = (),
        span: TimeSpan = TimeSpan(),  # noqa: B008 - it cannot change
    ) -> None:
        rig = source.rig if rig is None else rig
        super().__init__(name=name, cameras=source.cameras, stride=stride, rig=rig, notes=notes)
        self._source = source
        self._span = span

    @property
    def rate_fps(self) -> float:
        return self._source.rate_fps / self._stride

    @property
    def is_live(self) -> bool:
        return self._source.is_live

    @property
    def length(self) -> int | None:
        if self._source.length is None or not self._span.is_whole:
            return None
        return -(-self._source.length // self._stride)

    @property
    def frame_counts(self) -> Mapping[str, int] | None:
        return self._source.frame_counts

    @property
    def dropped(self) -> int:
        return self._source.dropped

    @property
    def warnings(self) -> list[str]:
        return [*self._notes, *self._source.warnings]

    def __iter__(self) -> Iterator[FrameSet]:
        instants = self._span.numbered(self._source, stride=self._stride, time_ns=lambda instant: instant.timestamp_ns)
        for _, frame_set in instants:
            yield replace(frame_set, frames=tuple(self._calibrated(frame) for frame in frame_set.frames))

    def close(self) -> None:
        self._source.close()
