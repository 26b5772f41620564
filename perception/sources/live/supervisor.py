"""How a camera is, and when it is tried again: a state machine without threads and without a clock of its own."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum

from perception.sources.live.settings import LiveSettings

SLOW_PERIODS = 5
"""A camera that is slow by itself is not stale before so many of its periods."""


class CameraState(str, Enum):
    """``connecting`` also in the pause before an attempt that is not the first; ``ended`` is a file that was played."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    FROZEN = "frozen"
    LOST = "lost"
    ENDED = "ended"


@dataclass(frozen=True)
class StateChange:
    """From ``before`` to ``after`` because of ``cause``; ``lasted_s`` is how long ``before`` was."""

    before: CameraState
    after: CameraState
    cause: str
    lasted_s: float


class Supervisor:
    """Judges one camera by what happens to it; all times are seconds of one clock that never goes back.

    ``state``, since ``since_s``, because of ``cause``. Each method returns the change that it made, if any.
    """

    def __init__(self, settings: LiveSettings, *, now_s: float, chance: random.Random) -> None:
        self._settings = settings
        self._chance = chance
        self.state = CameraState.CONNECTING
        self.since_s = now_s
        self.cause = ""
        self.losses = 0
        self.away_s = 0.0
        self._failures = 0
        self._connected_s: float | None = None
        self._arrived_s = now_s
        self._there_s = now_s
        self._unreadable_since_s: float | None = None
        self._fingerprint: int | None = None
        self._changed_s = now_s

    @property
    def is_there(self) -> bool:
        """Whether frames that can be used may be expected."""
        return self.state is CameraState.LIVE

    def missing_s(self, now_s: float) -> float:
        """Seconds since it was last there; 0 while it is."""
        if self._unreadable_since_s is not None:
            return now_s - self._unreadable_since_s
        return 0.0 if self.is_there else now_s - self._there_s

    def connected(self, now_s: float) -> None:
        """A connection stands; no picture has come by it."""
        self._connected_s = self._arrived_s = now_s

    def picture(self, now_s: float, fingerprint: int | None) -> tuple[StateChange | None, bool]:
        """A picture came; also whether it is one more of a frozen camera."""
        self._arrived_s = now_s
        if fingerprint is None or fingerprint != self._fingerprint:
            self._fingerprint, self._changed_s = fingerprint, now_s
        is_frozen = now_s - self._changed_s >= self._settings.frozen_after_s
        if is_frozen:
            cause = f"the same picture for {self._settings.frozen_after_s:g} s"
            return self._turn(CameraState.FROZEN, cause, now_s), True
        self._there_s = now_s
        return self._turn(CameraState.LIVE, "", now_s), False

    def decoded(self, now_s: float, *, is_readable: bool) -> None:
        """A picture was decoded, or could not be."""
        if is_readable:
            self._unreadable_since_s = None
        elif self._unreadable_since_s is None:
            self._unreadable_since_s = now_s

    def watch(self, now_s: float, *, period_s: float = 0.0) -> tuple[StateChange | None, bool]:
        """Time has passed; also whether the connection is to be given up. ``period_s`` is the camera's own."""
        if self._connected_s is None:
            return None, False
        if self._unreadable_since_s is not None:
            unreadable_s = now_s - max(self._unreadable_since_s, self._connected_s)
            if unreadable_s >= self._settings.lost_after_s:
                return self._turn(CameraState.STALE, f"no readable picture for {unreadable_s:.0f} s", now_s), True
        silent_s = now_s - self._arrived_s
        patience_s = SLOW_PERIODS * period_s
        if silent_s >= max(self._settings.lost_after_s, patience_s):
            return self._turn(CameraState.STALE, f"nothing for {silent_s:.0f} s", now_s), True
        if silent_s >= max(self._settings.stale_after_s, patience_s):
            return self._turn(CameraState.STALE, f"nothing for {silent_s:.1f} s", now_s), False
        return None, False

    def failed(self, now_s: float, cause: str) -> tuple[StateChange | None, float]:
        """The connection failed or broke off; also the seconds until the next attempt."""
        lasted_s = 0.0 if self._connected_s is None else now_s - self._connected_s
        self._failures = 0 if lasted_s >= self._settings.stable_after_s else self._failures
        self._connected_s = None
        self._fingerprint = None
        longest_s = self._settings.longest_pause_s
        # Bounded before it is a number that no float holds.
        pause_s = min(longest_s, self._settings.first_pause_s * 2 ** min(self._failures, 30))
        self._failures += 1
        return self._turn(CameraState.LOST, cause, now_s), pause_s * self._chance.uniform(0.5, 1.0)

    def ended(self, now_s: float) -> StateChange | None:
        """A file was played to its end."""
        self._connected_s = None
        return self._turn(CameraState.ENDED, "its recording is over", now_s)

    def _turn(self, state: CameraState, cause: str, now_s: float) -> StateChange | None:
        if state is self.state:
            self.cause = cause or self.cause
            return None
        change = StateChange(self.state, state, cause, now_s - self.since_s)
        if self.state is CameraState.LOST:
            self.away_s += change.lasted_s
        self.losses += state is CameraState.LOST
        self.state, self.since_s, self.cause = state, now_s, cause
        return change
