"""Live cameras as one source: instants of frames that belong together, whatever happens to single cameras."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from perception.errors import CamerasLostError, PerceptionError, UsageError, counted
from perception.geometry.cameras import Rig
from perception.sources.base import SourceBase
from perception.sources.live.accounting import Cause
from perception.sources.live.camera import CameraListener, CameraOpener, LiveCamera, TakenPicture
from perception.sources.live.capture_time import CaptureClock
from perception.sources.live.instants import Arrival, Instant, InstantAssembler
from perception.sources.live.settings import LiveSettings
from perception.sources.live.status import CameraStatus, LiveStatus, Measured
from perception.sources.rigs import fit_rig, seen_by_pinhole
from perception.sources.stream_recording.recorder import StreamRecorder
from perception.types import Frame, FrameSet

JOIN_S = 2.0
WATCH_EVERY_S = 0.1
LOOK_EVERY_S = 0.5

_LOG = logging.getLogger(__name__)


class _Waiting(NamedTuple):
    """A picture, and the camera whose counts it belongs to."""

    camera: LiveCamera
    taken: TakenPicture


class LiveSource(SourceBase):
    """The ``Source`` of live cameras: time stamps are wall-clock times of capture.

    Each camera has a thread that connects again whenever the camera breaks off. Frames that were taken within
    ``settings.tolerance_s`` are one instant; with ``newest_only`` it is the newest one, else each in its turn. Cameras
    can be added and removed at any time; ``cameras`` keeps the names of those that were removed. ``rig`` is the one
    that was given, for images of the sizes that the cameras send. ``recorder`` keeps what they send, and is closed
    with the source.

    ``dropped`` counts what arrived and was not handed out, ``status`` tells more. ``FrameSet.index`` counts instants,
    ``Frame.index`` all pictures that came of its camera.
    """

    def __init__(
        self,
        openers: Sequence[CameraOpener],
        *,
        name: str,
        settings: LiveSettings | None = None,
        stride: int = 1,
        newest_only: bool = False,
        rig: Rig | None = None,
        notes: Sequence[str] = (),
        listeners: Sequence[CameraListener] = (),
        chance: random.Random | None = None,
        recorder: StreamRecorder | None = None,
    ) -> None:
        self._recorder = recorder
        super().__init__(name=name, cameras=[], stride=stride, rig=rig, notes=notes)
        self._given_rig = rig
        self._settings = settings or LiveSettings()
        self._changed = threading.Condition()
        self._clock = CaptureClock()
        self._chance = chance or random.Random()
        self._assembler: InstantAssembler[_Waiting] = InstantAssembler(
            self._settings, newest_only=newest_only, leave=self._leave
        )
        self._listeners = [*listeners, *([] if recorder is None else [recorder])]
        self._live: dict[str, LiveCamera] = {}
        self._gone: dict[str, LiveCamera] = {}
        self._misfits: dict[str, tuple[int, int]] = {}
        self._skew = Measured()
        self._lookouts: list[Callable[[], None]] = []
        self._is_closed = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="watch cameras", daemon=True)
        for opener in openers:
            self.add(opener)
        self._watchdog.start()

    @property
    def settings(self) -> LiveSettings:
        """The limits of time in use."""
        return self._settings

    @property
    def rate_fps(self) -> float:
        with self._changed:
            return max((camera.nominal_fps for camera in self._live.values()), default=1.0) / self._stride

    @property
    def is_live(self) -> bool:
        return True

    @property
    def length(self) -> None:
        return None

    @property
    def frame_counts(self) -> None:
        return None

    @property
    def dropped(self) -> int:
        with self._changed:
            return sum(camera.counts.dropped for camera in self._all())

    @property
    def warnings(self) -> list[str]:
        """What was noted at the opening, and a sentence for each camera that was lost or sent damaged frames."""
        with self._changed:
            found = list(self._notes)
            for camera in self._all():
                damaged, losses = camera.counts.left["damaged"], camera.supervisor.losses
                if damaged:
                    found.append(f"{camera.name}: {counted(damaged, 'damaged frame')} left out.")
                if losses:
                    found.append(f"{camera.name}: {counted(losses, 'time')} lost; the last cause: {camera.failure}")
        return found

    def status(self) -> LiveStatus:
        """How all cameras are now."""
        with self._changed:
            return LiveStatus(
                cameras=tuple(self._status_of(camera) for camera in self._all()),
                tolerance_s=self._settings.tolerance_s,
                skew=self._skew,
            )

    def now_ns(self) -> int:
        """Now, by the clock of the frames' time stamps."""
        with self._changed:
            return self._clock.now_ns()

    def look_out(self, look: Callable[[], None]) -> None:
        """Call ``look`` twice a second while the source is open, in a thread of the source."""
        self._lookouts.append(look)

    def add(self, opener: CameraOpener) -> None:
        """Connect to one more camera, from any thread.

        Raises ``UsageError`` for a name that is taken or that the rig does not have.
        """
        with self._changed:
            if opener.name in self._live:
                raise UsageError(f"camera {opener.name}: is there already; give another name.")
            if self._rig is not None and opener.name not in self._rig.cameras:
                raise UsageError(f"camera {opener.name}: is not in the rig; add it there, or leave the rig out.")
            camera = LiveCamera(
                opener,
                settings=self._settings,
                stride=self._stride,
                clock=self._clock,
                changed=self._changed,
                take=self._take,
                listeners=self._listeners,
                chance=self._chance,
                before=self._gone.pop(opener.name, None),
            )
            self._live[opener.name] = camera
            if opener.name not in self._camera_names:
                self._camera_names = (*self._camera_names, opener.name)
            self._changed.notify_all()
        camera.start()

    def remove(self, name: str) -> None:
        """Take a camera away, from any thread. Raises ``UsageError`` where there is none of that name."""
        with self._changed:
            if name not in self._live:
                raise UsageError(f"camera {name}: is not there; known are {', '.join(self._live) or 'none'}.")
            camera = self._live.pop(name)
            camera.stop()
            self._gone[name] = camera
            self._assembler.forget(name)
            self._changed.notify_all()

    def __iter__(self) -> Iterator[FrameSet]:
        """Ends after ``close``, and where all cameras are recordings that are over.

        Raises ``CamerasLostError`` where cameras that ``settings.require`` are lost for too long.
        """
        index = 0
        while (instant := self._next_instant()) is not None:
            frames = [
                frame
                for name in self._camera_names
                if name in instant.frames and (frame := self._decoded(instant.frames[name].item)) is not None
            ]
            if frames:
                times_ns = [frame.timestamp_ns for frame in frames]
                self._skew.add((max(times_ns) - min(times_ns)) / 1e9)
                frame_set = FrameSet(frames=tuple(frames), timestamp_ns=min(times_ns), index=index)
                if self._recorder is not None:
                    keys = {name: arrival.item.taken.picture.key for name, arrival in instant.frames.items()}
                    self._recorder.instant(frame_set, keys)
                yield frame_set
                index += 1

    def need_any(self) -> None:
        """Wait until a camera is connected. Raises what is wrong with the first one where all fail."""
        cameras = list(self._live.values())
        with self._changed:
            self._changed.wait_for(
                lambda: any(camera.was_connected for camera in cameras) or all(camera.failure for camera in cameras),
                self._settings.connect_timeout_s + JOIN_S,
            )
            failure = cameras[0].failure if cameras else None
            if failure is not None and not any(camera.was_connected for camera in cameras):
                raise failure

    def wait_for_first(self) -> None:
        """Wait until each camera has sent a picture that can be read, or failed; the pictures are handed out later.

        The rig is fitted to their sizes. Raises ``UsageError`` where a camera's pictures have another shape than its
        calibration. Where no camera may be missing, raises what is wrong with one that sends nothing.
        """
        ends_s = time.monotonic() + self._settings.connect_timeout_s
        for camera in list(self._live.values()):
            size_px = self._first_size_px(camera, ends_s)
            if size_px is not None and self._rig is not None:
                self._fit(camera.name, size_px)
            elif size_px is None and not self._settings.may_be_missing:
                raise camera.failure or PerceptionError(
                    f"{camera.name}: sends no picture that can be read; check the camera and the network."
                )

    def close(self) -> None:
        self._is_closed.set()
        with self._changed:
            for camera in self._live.values():
                camera.stop()
                self._assembler.forget(camera.name)
            threads = self._all()
            self._changed.notify_all()
        ends_s = time.monotonic() + JOIN_S
        for camera in threads:
            camera.join(max(0.0, ends_s - time.monotonic()))
        if self._recorder is not None:
            self._recorder.close()

    def _all(self) -> list[LiveCamera]:
        return [*self._live.values(), *self._gone.values()]

    def _take(self, camera: LiveCamera, taken: TakenPicture) -> None:
        """In the camera's thread, with the lock held."""
        if self._is_closed.is_set() or self._live.get(camera.name) is not camera:
            camera.counts.leave("unused")
            return
        arrival = Arrival(taken.timestamp_ns, taken.arrived_s, _Waiting(camera, taken), taken.picture.size_bytes)
        self._assembler.add(camera.name, arrival)

    def _leave(self, _: str, cause: Cause, waiting: _Waiting) -> None:
        waiting.camera.counts.leave(cause)

    def _watch(self) -> None:
        """In a thread of its own: silence has to be seen while nothing happens."""
        looked_s = time.monotonic()
        while not self._is_closed.wait(WATCH_EVERY_S):
            with self._changed:
                for camera in self._live.values():
                    camera.watch()
            if time.monotonic() - looked_s >= LOOK_EVERY_S:
                looked_s = time.monotonic()
                for look in self._lookouts:
                    try:
                        look()
                    except Exception:  # the cameras have to be watched all the same
                        _LOG.exception("looking out failed")

    def _next_instant(self) -> Instant[_Waiting] | None:
        """Wait for the next one; None at the end."""
        with self._changed:
            while not self._is_closed.is_set():
                self._check_required()
                there = [camera for camera in self._live.values() if camera.supervisor.is_there]
                found = self._assembler.next(
                    now_s=time.monotonic(),
                    now_ns=self._clock.now_ns(),
                    periods_s={camera.name: self._stride / camera.rate_fps for camera in there},
                )
                if isinstance(found, Instant):
                    return found
                is_over = bool(self._live) and all(camera.has_ended for camera in self._live.values())
                if found is None and is_over:
                    return None
                self._changed.wait(1.0 if found is None else min(found, 1.0))
        return None

    def _check_required(self) -> None:
        """Raise where cameras that are required are lost for too long."""
        if self._settings.require is None or not self._live:
            return
        limit_s, now_s = self._settings.lost_after_s, time.monotonic()
        missing = [camera for camera in self._live.values() if camera.supervisor.missing_s(now_s) >= limit_s]
        needed = len(self._live) if self._settings.require == "any" else 1
        if len(missing) >= needed:
            names = ", ".join(camera.name for camera in missing)
            cause = missing[0].failure or missing[0].supervisor.cause or "it sends nothing"
            raise CamerasLostError(
                f"{names}: lost for {limit_s:g} s, and {self._settings.require} of the cameras are required; the "
                f"cause: {cause}",
            )

    def _decoded(self, waiting: _Waiting) -> Frame | None:
        """The frame, undistorted where there is a rig; None, and counted, where it cannot be used."""
        camera, taken = waiting
        image = taken.picture.to_rgb()
        with self._changed:
            camera.supervisor.decoded(time.monotonic(), is_readable=image is not None)
            if image is None:
                camera.counts.leave("damaged")
                return None
        frame = Frame(image=image, camera=camera.name, timestamp_ns=taken.timestamp_ns, index=taken.index)
        try:
            self._fit(camera.name, frame.size_px)
            frame = frame if self._rig is None else seen_by_pinhole(frame, self._rig)
        except UsageError as error:
            self._leave_misfit(camera, frame.size_px, error)
            return None
        with self._changed:
            camera.counts.use()
        return frame

    def _leave_misfit(self, camera: LiveCamera, size_px: tuple[int, int], error: UsageError) -> None:
        with self._changed:
            camera.counts.leave("misfit")
        if self._misfits.get(camera.name) != size_px:
            self._misfits[camera.name] = size_px
            _LOG.warning("%s: is left out until its images have another shape: %s", camera.name, error)

    def _fit(self, name: str, size_px: tuple[int, int]) -> None:
        """Scale the calibration to images of ``size_px``. Raises ``UsageError`` for another shape."""
        if self._rig is None or self._given_rig is None or self._rig.cameras[name].size_px == size_px:
            return
        one = fit_rig(self._given_rig.only([name]), {name: size_px})
        self._rig = Rig({**self._rig.cameras, **one.cameras}, self._rig.road_height_m)

    def _first_size_px(self, camera: LiveCamera, ends_s: float) -> tuple[int, int] | None:
        """(width, height) of the first picture that can be read; None where the camera fails or sends none in time."""
        seen: TakenPicture | None = None
        with self._changed:
            while not self._is_closed.is_set():
                if camera.latest is not None and camera.latest is not seen:
                    seen = camera.latest
                    image = seen.picture.to_rgb()
                    if image is not None:
                        return image.shape[1], image.shape[0]
                    continue
                remaining_s = ends_s - time.monotonic()
                if camera.failure is not None or camera.has_ended or remaining_s <= 0:
                    break
                self._changed.wait(remaining_s)
        return None

    def _status_of(self, camera: LiveCamera) -> CameraStatus:
        supervisor = camera.supervisor
        is_gone = camera.name in self._gone
        return CameraStatus(
            name=camera.name,
            state="removed" if is_gone else supervisor.state.value,
            since_s=time.monotonic() - supervisor.since_s,
            cause=supervisor.cause,
            rate_fps=camera.rate_fps,
            time_origin=camera.times.origin,
            frames=camera.counts.to_json(),
            losses=supervisor.losses,
            away_s=supervisor.away_s,
            events=tuple(camera.events),
        )
