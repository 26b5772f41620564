"""When a picture was taken, on one clock for all cameras."""

from __future__ import annotations

import time
from typing import Literal

from perception.sources.live.readers.picture import CapturedPicture

TimeOrigin = Literal["arrival", "stream", "rtcp"]
"""What a camera's times come from: arrival here, the stream's own clock, or the wall clock that RTCP states."""

DRIFT_WINDOW_S = 10.0
"""The offset between two clocks is taken from so long a past, in which they hardly part."""


class CaptureClock:
    """Wall-clock nanoseconds that never stand still or go back, even when the system's clock is set."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()
        self._last_ns = 0

    def now_ns(self) -> int:
        """Later than every answer before; callers hold a lock."""
        self._last_ns = max(self._last_ns + 1, self._offset_ns + time.monotonic_ns())
        return self._last_ns


class CaptureTimes:
    """The times of one camera's pictures, which only rise; ``origin`` states what the last one is from.

    A stream's clock has an unknown zero. The picture that travelled fastest places it: no picture is taken after it
    arrived, and what came later than that was under way for longer. So the network's jitter is out of the times, and
    only the shortest delay is left in them. A jump of that clock by more than ``max_lag_s`` places it anew.

    The wall clock of RTCP holds where it says that a picture was taken at most ``max_lag_s`` before it arrived;
    otherwise that clock is not set as ours is, and the stream's is used.
    """

    def __init__(self, *, max_lag_s: float) -> None:
        self._max_lag_ns = round(max_lag_s * 1e9)
        self._last_ns = 0
        self.origin: TimeOrigin = "arrival"
        self.connect()

    def connect(self) -> None:
        """A new connection: its clocks are others."""
        self._offsets_ns: list[int] = []
        self._window_ns = 0
        self._trusts_rtcp = True

    def of(self, picture: CapturedPicture, arrived_ns: int) -> int:
        """Nanoseconds since 1970 at which ``picture`` was taken, later than the one before."""
        taken_ns, self.origin = self._taken_ns(picture, arrived_ns)
        self._last_ns = max(self._last_ns + 1, taken_ns)
        return self._last_ns

    def _taken_ns(self, picture: CapturedPicture, arrived_ns: int) -> tuple[int, TimeOrigin]:
        if picture.realtime_s is not None and self._trusts_rtcp:
            taken_ns = round(picture.realtime_s * 1e9)
            self._trusts_rtcp = 0 <= arrived_ns - taken_ns <= self._max_lag_ns
            if self._trusts_rtcp:
                return taken_ns, "rtcp"
        if picture.presented_s is None:
            return arrived_ns, "arrival"
        return self._placed(round(picture.presented_s * 1e9), arrived_ns), "stream"

    def _placed(self, presented_ns: int, arrived_ns: int) -> int:
        """By the smallest offset of this window of time and the one before."""
        offset_ns = arrived_ns - presented_ns
        if not self._offsets_ns or abs(offset_ns - min(self._offsets_ns)) > self._max_lag_ns:
            self._offsets_ns, self._window_ns = [offset_ns], arrived_ns
        elif arrived_ns - self._window_ns > DRIFT_WINDOW_S * 1e9:
            self._offsets_ns, self._window_ns = [self._offsets_ns[-1], offset_ns], arrived_ns
        else:
            self._offsets_ns[-1] = min(self._offsets_ns[-1], offset_ns)
        return presented_ns + min(self._offsets_ns)
