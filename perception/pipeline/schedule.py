"""Which cameras the detector looks at, at each instant."""

from __future__ import annotations

from collections.abc import Sequence

from perception.types import Frame


class DetectionSchedule:
    """Each camera's first frame and then every ``interval``-th one, the cameras in turn.

    With an ``interval`` of 3, six cameras cost two images at each instant after the first. The tracker predicts what
    lies in between.
    """

    def __init__(self, interval: int = 1) -> None:
        if interval < 1:
            raise ValueError(f"interval: expected one or more, got {interval}")
        self.interval = interval
        self.reset()

    def reset(self) -> None:
        """Forget all cameras."""
        self._frames_to_wait: dict[str, int] = {}
        self._camera_count = 0

    def choose(self, frames: Sequence[Frame]) -> list[Frame]:
        """Those of the ``frames`` of one instant that are to be looked at, in their order."""
        chosen = []
        for frame in frames:
            waits = self._frames_to_wait.get(frame.camera)
            if waits is None:
                # Cameras that start together part here.
                self._frames_to_wait[frame.camera] = self._camera_count % self.interval
                self._camera_count += 1
            else:
                self._frames_to_wait[frame.camera] = (waits or self.interval) - 1
            if not waits:
                chosen.append(frame)
        return chosen
