"""Cameras that are killed again and again, and what a run makes of it."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from perception.pipeline.build import build_pipeline
from perception.pipeline.config import StreamConfig
from perception.pipeline.inputs import open_configured_source
from perception.runtime.memory import resident_bytes
from perception.runtime.run_stats import RunResult
from perception.runtime.runner import run_pipeline
from perception.sources.live.source import LiveSource

_SERVER = Path(__file__).with_name("picture_camera.py")


@dataclass
class KillableCamera:
    """A camera in a process of its own, always at the same port."""

    folder: Path
    fps: float
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/video.mjpg"

    def start(self) -> None:
        if not self.port:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
        arguments = [sys.executable, str(_SERVER), str(self.port), str(self.fps), str(self.folder)]
        self._process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@dataclass
class SoakRun:
    """What was measured: ``back_s`` from a camera's return until it is live; once a second the process's size."""

    result: RunResult
    back_s: list[float] = field(default_factory=list)
    resident_bytes: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    handles: list[int] = field(default_factory=list)

    @property
    def live(self) -> dict[str, Any]:
        assert self.result.stats.live is not None
        return self.result.stats.live.to_json()

    @property
    def is_accounted(self) -> bool:
        """Of each camera: sent = used + counted."""
        frames = [camera["frames"] for camera in self.live["cameras"].values()]
        return all(counts["waiting"] == 0 and 2 * counts["sent"] == sum(counts.values()) for counts in frames)

    def memory_slope_mb_per_minute(self) -> float:
        """By least squares over the last two thirds."""
        sizes = np.array(self.resident_bytes[len(self.resident_bytes) // 3 :]) / 1e6
        return float(np.polyfit(np.arange(len(sizes)) / 60, sizes, 1)[0])


@contextmanager
def cameras(folder: Path, *, count: int, fps: float) -> Iterator[list[KillableCamera]]:
    """So many cameras that serve the pictures in ``folder``."""
    with ExitStack() as opened:
        found = [KillableCamera(folder, fps) for _ in range(count)]
        for camera in found:
            opened.callback(camera.kill)
            camera.start()
        yield found


def soak(found: list[KillableCamera], *, seconds: float, kill_every_s: float, seed: int = 0, **options: Any) -> SoakRun:
    """Run over the cameras for so long; one by chance is killed now and then, and back after half to one and a half
    seconds. ``options`` are fields of ``StreamConfig``."""
    config = StreamConfig(source=[f"cam{number}={camera.url}" for number, camera in enumerate(found)], **options)
    with closing(open_configured_source(config)) as source:
        assert isinstance(source, LiveSource)
        built = build_pipeline(config, rig=source.rig)
        ended = threading.Event()
        back_s: list[float] = []
        sizes: list[tuple[int, int, int]] = []
        threads = [
            threading.Thread(target=_kill_some, args=[found, source, kill_every_s, ended, back_s, random.Random(seed)]),
            threading.Thread(target=_measure, args=[ended, sizes]),
        ]
        for thread in threads:
            thread.start()
        try:
            result = run_pipeline(built.pipeline, source, duration_s=seconds)
        finally:
            ended.set()
            for thread in threads:
                thread.join()
    memory, counts, handles = ([size[part] for size in sizes] for part in range(3))
    return SoakRun(result, back_s, memory, counts, handles)


def _kill_some(
    found: list[KillableCamera],
    source: LiveSource,
    every_s: float,
    ended: threading.Event,
    back_s: list[float],
    chance: random.Random,
) -> None:
    _wait(ended, lambda: all(camera.state == "live" for camera in source.status().cameras))
    while not ended.wait(every_s):
        number = chance.randrange(len(found))
        losses = source.status().cameras[number].losses
        found[number].kill()
        _wait(ended, lambda number=number, losses=losses: source.status().cameras[number].losses > losses)
        ended.wait(chance.uniform(0.5, 1.5))
        found[number].start()
        returned_s = time.monotonic()
        if _wait(ended, lambda number=number: source.status().cameras[number].state == "live"):
            back_s.append(time.monotonic() - returned_s)


def _wait(ended: threading.Event, is_so: Callable[[], bool]) -> bool:
    """Whether it was so before the end."""
    while not ended.is_set():
        if is_so():
            return True
        time.sleep(0.02)
    return False


def _measure(ended: threading.Event, sizes: list[tuple[int, int, int]]) -> None:
    while not ended.wait(1.0):
        handles = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
        sizes.append((resident_bytes(), threading.active_count(), handles))
