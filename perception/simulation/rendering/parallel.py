"""Several renderers, each in a process of its own, draw the instants of a drive side by side.

Without a GPU Mesa draws on the processor, and its threads wait for one another between the passes over a picture: two
of them keep two cores three quarters busy. Renderers with one thread each, at different instants, need not wait.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

from perception.cpu import available_processors
from perception.geometry.cameras import Rig
from perception.simulation.rendering.conditions import Conditions
from perception.simulation.rendering.renderer import Renderer
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

    The processes begin by importing the program's main module, which must be safe to import. Raises ``UsageError``
    where OpenGL or moderngl are missing.
    """

    def __init__(
        self, town: Town, rig: Rig, *, seed: int, conditions: Conditions, processes: int, masks: bool = False
    ) -> None:
        self._ahead = processes + 1
        # Forked, a process would share the parent's threads and graphics context.
        self._pool = ProcessPoolExecutor(
            processes, mp_context=get_context("spawn"), initializer=_open, initargs=(town, rig, seed, conditions, masks)
        )
        try:
            for started in [self._pool.submit(_check_opened) for _ in range(processes)]:
                started.result()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the processes; what is being drawn is drawn to its end, what waits is not begun."""
        self._pool.shutdown(cancel_futures=True)

    def render_each(self, states: Iterable[WorldState]) -> Iterator[Drawn]:
        """The instants in their order; ``states`` is read a few instants ahead."""
        underway: deque[tuple[WorldState, Future[dict[str, CameraView]]]] = deque()
        for state in states:
            underway.append((state, self._pool.submit(_render, state)))
            if len(underway) > self._ahead:
                yield _finished(underway)
        while underway:
            yield _finished(underway)


def _finished(underway: deque[tuple[WorldState, Future[dict[str, CameraView]]]]) -> Drawn:
    """Take the oldest instant and wait for its pictures."""
    state, views = underway.popleft()
    return state, views.result()


_opened: Renderer | BaseException | None = None
"""The renderer of this process, or why there is none."""


def _open(town: Town, rig: Rig, seed: int, conditions: Conditions, masks: bool) -> None:
    global _opened
    # Ctrl-C reaches all processes of a terminal; the parent decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("LP_NUM_THREADS", "1")
    try:
        _opened = Renderer(town, rig, seed=seed, conditions=conditions, masks=masks)
    except Exception as error:  # raised here, it would reach the parent without its sentence
        _opened = error


def _check_opened() -> None:
    """Raises what went wrong at the start of this process."""
    if isinstance(_opened, BaseException):
        raise _opened


def _render(state: WorldState) -> dict[str, CameraView]:
    assert isinstance(_opened, Renderer)
    return _opened.render(state)
