"""What all sources here share: the names of the source and its cameras, the stride, the rig and its lenses."""

from __future__ import annotations

from collections.abc import Sequence

from perception.geometry.cameras import Rig
from perception.sources.rigs import seen_by_pinhole
from perception.types import Frame


class SourceBase:
    """A ``Source`` without its frames: every ``stride``-th instant of ``cameras``, which ``rig`` calibrates.

    ``notes`` are the first of its warnings.
    """

    def __init__(
        self, *, name: str, cameras: Sequence[str], stride: int, rig: Rig | None, notes: Sequence[str]
    ) -> None:
        self._name = name
        self._camera_names = tuple(cameras)
        self._stride = stride
        self._rig = rig
        self._notes = list(notes)

    @property
    def cameras(self) -> tuple[str, ...]:
        return self._camera_names

    @property
    def rig(self) -> Rig | None:
        return self._rig

    @property
    def name(self) -> str:
        return self._name

    def _calibrated(self, frame: Frame) -> Frame:
        """``frame`` as the pinhole cameras of the rig see it; itself without a rig.

        Raises ``UsageError`` for an image that has not the size of its camera's calibration.
        """
        return frame if self._rig is None else seen_by_pinhole(frame, self._rig)
