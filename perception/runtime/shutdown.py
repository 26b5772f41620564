"""Ctrl-C, SIGTERM and a closed terminal end a run after the instant in progress, so that every file is whole."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any

_MEANING = {"SIGINT": "Ctrl-C", "SIGTERM": "the system asked for it", "SIGHUP": "the terminal was closed"}
SIGNALS: dict[signal.Signals, str] = {
    getattr(signal, name): meaning for name, meaning in _MEANING.items() if hasattr(signal, name)
}
"""The signals that ask for an end, and what they mean."""

_SIGNAL_EXIT_CODE = 128
"""What shells add the number of a signal to."""

BEFORE_FIRST_FRAME = "before the first frame; nothing was written"


def exit_code_of(number: int) -> int:
    """The exit code that shells expect of a command that the signal ``number`` ended."""
    return _SIGNAL_EXIT_CODE + number


class Interrupted(KeyboardInterrupt):
    """A signal ended the command before it was done; ``when`` says how far it was."""

    def __init__(self, number: int, when: str = "") -> None:
        super().__init__(number, when)
        self.number = signal.Signals(number)
        self.when = when

    @property
    def exit_code(self) -> int:
        """130 for Ctrl-C, 143 for SIGTERM, 129 for a closed terminal."""
        return exit_code_of(self.number)

    @property
    def sentence(self) -> str:
        """For the user."""
        return f"stopped ({SIGNALS[self.number]}) {self.when or 'before it was done; complete files are kept'}."


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """While the block runs, each of ``SIGNALS`` raises ``Interrupted``, so that what is open is closed.

    In another thread than the main one, which gets no signals, it does nothing.
    """
    with _handlers(_raise_interrupted):
        yield


@contextmanager
def before_first_frame() -> Iterator[None]:
    """A signal within the block says that it came before the first frame. Raises ``Interrupted`` for it."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(getattr(error, "number", signal.SIGINT), BEFORE_FIRST_FRAME) from error


class ShutdownRequest:
    """While the block runs, the first of ``SIGNALS`` sets ``reason`` and ``signal``, and a second interrupts at once.

    ``on_stop`` is called once, in another thread: it wakes a source that waits for a camera. ``after_s`` asks for the
    stop by itself after so many seconds.
    """

    def __init__(self, *, on_stop: Callable[[], None], after_s: float | None = None) -> None:
        self.reason: str | None = None
        self.signal: signal.Signals | None = None
        self._on_stop = on_stop
        self._handlers = _handlers(self._on_signal)
        self._timer = None if after_s is None else threading.Timer(after_s, self.ask, args=["the time was up"])

    def __enter__(self) -> ShutdownRequest:
        self._handlers.__enter__()
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handlers.__exit__(None, None, None)
        if self._timer is not None:
            self._timer.cancel()

    def ask(self, reason: str) -> None:
        """Ask for the end of the run; the first reason counts."""
        if self.reason is None:
            self.reason = reason
            threading.Thread(target=self._on_stop, daemon=True).start()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        _leave_closed_terminal(number)
        if self.signal is not None:
            raise Interrupted(number, "at once, because it was asked twice; the last files may be incomplete")
        self.signal = signal.Signals(number)
        self.ask(SIGNALS[self.signal])


@contextmanager
def _handlers(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    # Only the main thread may take signals; in another one the caller ends the run itself.
    is_main = threading.current_thread() is threading.main_thread()
    # What nohup starts is to outlive its terminal.
    numbers = [one for one in SIGNALS if one.name != "SIGHUP" or signal.getsignal(one) != signal.SIG_IGN]
    previous: dict[signal.Signals, Any] = {}
    try:
        if is_main:
            previous = {number: signal.signal(number, handler) for number in numbers}
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


def _raise_interrupted(number: int, _: FrameType | None) -> None:
    _leave_closed_terminal(number)
    raise Interrupted(number)


def _leave_closed_terminal(number: int) -> None:
    """What would be said on a terminal that is no more goes nowhere: otherwise each line would be an error."""
    if signal.Signals(number).name != "SIGHUP":
        return
    for stream in (1, 2):
        with suppress(OSError):
            # A terminal that was hung up is a device that does not answer as a terminal any more.
            if stat.S_ISCHR(os.fstat(stream).st_mode) and not os.isatty(stream):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream)
                os.close(nowhere)
