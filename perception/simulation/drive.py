"""A simulated drive, instant by instant: traffic moves (``traffic.traffic_drive``), the cameras render it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import TracebackType

from perception.geometry.cameras import Rig
from perception.simulation.recorder import DriveRecorder
from perception.simulation.rendering import Conditions, ParallelRenderer
from perception.simulation.traffic.traffic_drive import open_traffic
from perception.simulation.world import CameraView, WorldState
from perception.sources.rigs import fit_rig


@dataclass(frozen=True)
class DriveSettings:
    """What makes a drive: the same settings make the same recording on the same machine.

    ``seed`` chooses town, traffic, light, weather and colours; ``look`` names light and weather instead of the seed.
    ``masks`` adds, for every picture, whose each pixel is.
    """

    seed: int = 0
    duration_s: float = 20.0
    fps: float = 10.0
    size_px: tuple[int, int] = (640, 360)
    look: str | None = None
    masks: bool = False

    @property
    def instants(self) -> int:
        """How many instants the drive has."""
        return max(1, round(self.duration_s * self.fps))


@dataclass(frozen=True)
class SimulatedInstant:
    """The traffic, what every camera sees of it, and the milliseconds that were waited for both."""

    state: WorldState
    views: Mapping[str, CameraView]
    stage_ms: dict[str, float]


class Drive:
    """Iterate over it for the instants; a context manager that lets go of traffic and graphics at the end.

    SUMO and OpenGL run in processes of their own. More ``processes`` than one draw instants side by side; the recording
    is the same.
    Raises ``UsageError`` naming what to install where SUMO, moderngl or OpenGL are missing, and where the pictures'
    size has another shape than the rig's.
    """

    def __init__(self, settings: DriveSettings, rig: Rig, *, processes: int = 1) -> None:
        self.settings = settings
        self.rig = fit_rig(rig, dict.fromkeys(rig.cameras, settings.size_px))
        self._parts = ExitStack()
        try:
            self._traffic = self._parts.enter_context(open_traffic(settings.seed, settings.duration_s, settings.fps))
            conditions = Conditions.sample(settings.seed) if settings.look is None else Conditions.named(settings.look)
            self._renderer = self._parts.enter_context(
                ParallelRenderer(
                    self._traffic.town,
                    self.rig,
                    seed=settings.seed,
                    conditions=conditions,
                    masks=settings.masks,
                    processes=processes,
                )
            )
        except BaseException:
            self._parts.close()
            raise

    def __enter__(self) -> Drive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.close()

    def __iter__(self) -> Iterator[SimulatedInstant]:
        started_s = perf_counter()
        for state, views in self._renderer.render_each(self._traffic.states()):
            yield SimulatedInstant(state, views, {"render": 1e3 * (perf_counter() - started_s)})
            started_s = perf_counter()

    def recorder(self, folder: Path, *, crf: int = 20) -> DriveRecorder:
        """A writer of recordings with this drive's cameras and rate."""
        return DriveRecorder(folder, self.rig, fps=self.settings.fps, crf=crf)
