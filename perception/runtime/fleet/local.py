"""Runs tasks on this machine: one after the other in this process, or side by side in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from perception.errors import PerceptionError
from perception.runtime.fleet.engine import Attempts, Outcome, Result, Task, attempt

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Processes that each start a thread per core slow one another down."""

_PATIENCE_S = 10.0
"""So long a process may take to write its files when the run is given up."""


@dataclass(frozen=True)
class LocalEngine:
    """``workers`` processes; with one, tasks run in this process. A failed task is tried again ``retries`` times.

    A process that dies fails only the task that it had, and is replaced.
    """

    workers: int = 1
    retries: int = 1

    def run(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Outcome[Result]]:
        """See ``Engine``."""
        attempts = Attempts(len(tasks), self.retries)
        if self.workers == 1:
            while attempts.waiting:
                index = attempts.take()
                outcome = attempts.ended(index, attempt(function, tasks[index]))
                if outcome is not None:
                    yield outcome
            return
        with _pool(min(self.workers, len(tasks))) as workers:
            while attempts.waiting or any(worker.task is not None for worker in workers):
                for worker in workers:
                    if worker.task is None and attempts.waiting:
                        worker.give(attempts.take(), function, tasks)
                for worker in _ready(workers):
                    index, result = worker.take()
                    outcome = attempts.ended(index, result)
                    if outcome is not None:
                        yield outcome


class _Worker:
    """A process that runs one task after the other; ``task`` is the one that it has."""

    def __init__(self) -> None:
        self.task: int | None = None
        self.process, self.connection = _start()

    def give(self, index: int, function: Callable[[Any], Any], tasks: Sequence[Any]) -> None:
        self.task = index
        with suppress(OSError):  # it has died, which ``take`` finds
            self.connection.send((function, tasks[index]))

    def take(self) -> tuple[int, Any]:
        """The task and what became of it; call once the connection is ready."""
        index, self.task = self.task, None
        if index is None:
            raise ValueError("task: expected one that was given")
        try:
            return index, self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode
            self.connection.close()
            self.process, self.connection = _start()
            return index, PerceptionError(f"its process ended unexpectedly (code {code}); it may have lacked memory.")

    def close(self) -> None:
        """End the process; a run that is under way first closes its files."""
        self.connection.close()
        if self.task is not None:
            self.process.terminate()
        self.process.join(_PATIENCE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@contextmanager
def _pool(count: int) -> Iterator[list[_Worker]]:
    workers: list[_Worker] = []
    try:
        workers += (_Worker() for _ in range(count))
        yield workers
    finally:
        for worker in workers:
            worker.close()


def _ready(workers: Sequence[_Worker]) -> list[_Worker]:
    busy = {worker.connection: worker for worker in workers if worker.task is not None}
    return [busy[connection] for connection in wait(list(busy)) if isinstance(connection, Connection)]


def _start() -> tuple[BaseProcess, Connection]:
    # Threads and locks of this process are none of a new one's, as they are of a forked one.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True)
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    try:
        process.start()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    theirs.close()
    return process, ours


def _work(connection: Connection) -> None:
    """Until the other end is closed. Ctrl-C is for the process that started this one, which then ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            function, task = connection.recv()
            connection.send(attempt(function, task))
        except (EOFError, OSError):
            return
