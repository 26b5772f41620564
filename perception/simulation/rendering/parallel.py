"""Renderers, each in a process of its own (``simulation.worker`` says why), draw the instants of a drive side by side.

Without a GPU Mesa draws on the processor, and its threads wait for one another between the passes over a picture: two
of them keep two cores three quarters busy. Renderers with one thread each, at different instants, need not wait.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from queue import SimpleQueue
from types import TracebackType

from perception.cpu import available_processors
from perception.geometry.cameras import Rig
from perception.simulation.rendering.conditions import Conditions
from perception.simulation.rendering.renderer import Renderer
from perception.simulation.worker import Worker
from perception.simulation.world import CameraView, Town, WorldState

Drawn = tuple[WorldState, dict[str, CameraView]]
"""The traffic at an instant, and what each camera sees of it."""

_MAX_PROCESSES = 8
_INSTANTS_PER_PROCESS = 10
"""A process takes about as long to start as a core to draw so many instants of six cameras."""


def sensible_processes(instants: int) -> int:
    """How many renderers are worth their start for so many instants on the cores that this process may use."""
    return max(1, min(available_processors(), _MAX_PROCESSES, instants // _INSTANTS_PER_PROCESS))


class ParallelRenderer:
    """Draws as ``Renderer`` does, the same pictures, with ``processes`` of them; ``close`` ends them.

    Also a context manager. Raises ``UsageError`` where OpenGL or moderngl are missing, ``PerceptionError`` when a
    process ends by itself.
    """

    def __init__(
        self, town: Town, rig: Rig, *, seed: int, conditions: Conditions, processes: int = 1, masks: bool = False
    ) -> None:
        self._ahead = processes + 1
        # One renderer alone draws with all of Mesa's threads.
        environment = None if processes == 1 else {"LP_NUM_THREADS": "1", **os.environ}
        make = partial(Renderer, seed=seed, conditions=conditions, masks=masks)
        workers = [
            Worker(make, town, rig, does="draws the pictures", environment=environment) for _ in range(processes)
        ]
        self._parts = ExitStack()
        for worker in workers:
            self._parts.callback(worker.close)
        # A thread for each process waits for its answers; the threads end before the processes do.
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="renderer")
        self._parts.callback(self._threads.shutdown, cancel_futures=True)
        self._idle: SimpleQueue[Worker[Renderer]] = SimpleQueue()
        try:
            for _ in self._threads.map(Worker.start, workers):
                pass
        except BaseException:
            self.close()
            raise
        for worker in workers:
            self._idle.put(worker)

    def __enter__(self) -> ParallelRenderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; what is being drawn is drawn to its end, what waits is not begun."""
        self._parts.close()

    def render_each(self, states: Iterable[WorldState]) -> Iterator[Drawn]:
        """The instants in their order; ``states`` is read a few instants ahead."""
        underway: deque[tuple[WorldState, Future[dict[str, CameraView]]]] = deque()
        for state in states:
            underway.append((state, self._threads.submit(self._render, state)))
            if len(underway) > self._ahead:
                yield _finished(underway)
        while underway:
            yield _finished(underway)

    def _render(self, state: WorldState) -> dict[str, CameraView]:
        worker = self._idle.get()
        try:
            return worker.call(Renderer.render, state)
        finally:
            self._idle.put(worker)


def _finished(underway: deque[tuple[WorldState, Future[dict[str, CameraView]]]]) -> Drawn:
    """Take the oldest instant and wait for its pictures."""
    state, views = underway.popleft()
    return state, views.result()
