"""Ctrl-C ends a run after the instant in progress, so that every file is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "the system asked for it"}


class ShutdownRequest:
    """While the block runs, the first Ctrl-C (or SIGTERM) sets ``reason`` and a second one interrupts at once.

    ``on_stop`` is called once, in another thread: it wakes a source that waits for a camera. ``after_s`` asks for the
    stop by itself after so many seconds.
    """

    def __init__(self, *, on_stop: Callable[[], None], after_s: float | None = None) -> None:
        self.reason: str | None = None
        self._on_stop = on_stop
        self._previous: dict[signal.Signals, Any] = {}
        self._timer = None if after_s is None else threading.Timer(after_s, self.ask, args=["the time was up"])

    def __enter__(self) -> ShutdownRequest:
        # Only the main thread may take signals; in another one the caller ends the run itself.
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        if self._timer is not None:
            self._timer.cancel()

    @property
    def is_interrupt(self) -> bool:
        """Whether a signal asked for the end."""
        return self.reason in _SIGNALS.values()

    def ask(self, reason: str) -> None:
        """Ask for the end of the run; the first reason counts."""
        if self.reason is None:
            self.reason = reason
            threading.Thread(target=self._on_stop, daemon=True).start()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self.reason is not None:
            raise KeyboardInterrupt
        self.ask(_SIGNALS[signal.Signals(number)])
