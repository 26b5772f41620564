"""An object in a process of its own: when it crashes, only that process ends.

SUMO and OpenGL live in such processes. Mesa puts the symbols of its LLVM before those of every library that is loaded
later: where Triton, which torchvision imports, is loaded into the same process, it calls Mesa's LLVM and crashes.

The processes of ``multiprocessing`` begin by importing the program's main module, so a script without a guard would
start itself again. These do not.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from perception.errors import PerceptionError

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")

_PROGRAM = """\
import sys
sys.path[:] = [folder for folder in sys.path if folder]
import pickle, signal
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
sys.path[:] = pickle.load(sys.stdin.buffer)
from perception.simulation.worker import serve
serve()
"""
"""Finds modules where the parent does, and until it knows where, not in the working folder.

Ctrl-C and a terminal's end reach all its processes, and SIGTERM may; the parent decides when to stop.
"""


class Worker(Generic[T]):
    """``make(*arguments)`` in a process of its own, from ``start`` to ``close``; also a context manager.

    ``does`` says in words what the process does, for the sentence about its end. ``environment`` is that of the
    process, as a rule this one's. All that goes there and comes back is pickled. One thread at a time may use it.
    """

    def __init__(
        self, make: Callable[..., T], *arguments: Any, does: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self._make = make
        self._arguments = arguments
        self._does = does
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Worker[T]:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Return when the object is made; raises what went wrong there, and leaves no process behind."""
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment
            )
        except OSError as error:
            raise PerceptionError(
                f"The process that {self._does} cannot be started ({error.strerror}); close other programs."
            ) from error
        try:
            self._ask(sys.path, _request(self._make, *self._arguments))
        except BaseException:
            self.close()
            raise

    def call(self, method: Callable[Concatenate[T, P], R], *arguments: P.args, **named: P.kwargs) -> R:
        """What ``method`` of the object returns.

        Raises what it raises, and ``PerceptionError`` when the process ends by itself.
        """
        result: R = self._ask(_request(method, *arguments, **named))
        return result

    def close(self) -> None:
        """End the process, which has nothing to lose; a second call does nothing."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _ask(self, *messages: Any) -> Any:
        """Send messages and wait for one answer."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None, "it is not started"
        try:
            for message in messages:
                pickle.dump(message, process.stdin)
            process.stdin.flush()
            result, error, trace = pickle.load(process.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as end:
            code = process.wait()
            reason = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            raise PerceptionError(
                f"The process that {self._does} ended by itself ({reason}): run it again; it may have lacked memory."
            ) from end
        if error is not None:
            raise error from _ElsewhereError(trace)
        return result


class _ElsewhereError(Exception):
    """Shows where in the other process an error happened."""

    def __str__(self) -> str:
        return f"in another process\n{self.args[0]}"


def _request(function: Callable[..., Any], *arguments: Any, **named: Any) -> bytes:
    """Pickled by itself, so that what cannot be read there, or be written here, leaves no half message behind."""
    return pickle.dumps((function, arguments, named), pickle.HIGHEST_PROTOCOL)


def serve() -> None:
    """What a worker's process does: make an object and call its methods, until nobody asks any more."""
    threading.Thread(target=_end_with_parent, args=[sys.stdin.fileno()], daemon=True).start()
    requests = sys.stdin.buffer
    # What libraries print must not get among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    made: list[Any] = []
    try:
        while True:
            answers.write(_answer(pickle.load(requests), made))
            answers.flush()
    except (EOFError, BrokenPipeError):
        # Nothing is closed: it is in their closing that such libraries crash.
        os._exit(0)


def _end_with_parent(requests: int) -> None:
    """Wait until nobody can write to the pipe ``requests`` any more, whatever this process is doing then.

    A process that is killed closes nothing, and the worker may be drawing, or in the middle of a request.
    """
    if hasattr(select, "poll"):
        parent = select.poll()
        parent.register(requests, 0)
        parent.poll()
        os._exit(0)


def _answer(request: bytes, made: list[Any]) -> bytes:
    """The pickled result, or error and traceback; the first request makes the object, which stays here."""
    try:
        function, arguments, named = pickle.loads(request)
        result = function(*made, *arguments, **named)
        if not made:
            made.append(result)
            result = None
        return pickle.dumps((result, None, ""), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        trace = traceback.format_exc()
        try:
            answer = pickle.dumps((None, error, trace))
            pickle.loads(answer)
        except Exception:  # an error that cannot travel
            answer = pickle.dumps((None, RuntimeError(f"{type(error).__name__}: {error}"), trace))
        return answer
