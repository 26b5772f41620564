"""From what the user names to a camera that can be connected to, again and again."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

from perception.errors import UsageError
from perception.sources.files.lazy_frame import RecordedCamera
from perception.sources.files.video import VideoFile
from perception.sources.live.camera import CameraOpener
from perception.sources.live.readers.paced_file import PacedReader, PlaybackClock
from perception.sources.live.readers.picture import Reader
from perception.sources.live.readers.webcam import WebcamReader
from perception.sources.live.settings import LiveSettings
from perception.sources.live.stream_schemes import address_for_messages, connect, split_address, within

_TCP_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "tcp": None}
_PROBE_S = 1.0


def webcam_opener(index: int, *, name: str, settings: LiveSettings) -> CameraOpener:
    """A camera of this machine. Raises where it may not be missing and is."""
    timeout_s = settings.connect_timeout_s
    first = None if settings.may_be_missing else within(lambda: WebcamReader(index), timeout_s=timeout_s, label=name)
    return CameraOpener(name=name, open=lambda: WebcamReader(index), first=first)


def address_opener(spec: str, *, name: str, settings: LiveSettings, first: Reader | None = None) -> CameraOpener:
    """A network camera; ``first`` is a connection that stands. Raises ``UsageError`` for a bad address."""
    split_address(spec)
    return CameraOpener(
        name=name,
        open=partial(_connect, spec, timeout_s=settings.connect_timeout_s),
        first=first,
        answers=_probe(spec),
    )


def file_opener(camera: RecordedCamera, *, clock: PlaybackClock) -> CameraOpener:
    """A recording that is played at its own speed, together with others of the same ``clock``."""
    return CameraOpener(name=camera.name, open=lambda: PacedReader(camera, clock), is_file=True)


def _connect(spec: str, *, timeout_s: float) -> Reader:
    found = connect(spec, name="", rate_fps=None, timeout_s=timeout_s)
    if isinstance(found, VideoFile):
        raise UsageError(f"{address_for_messages(spec)}: is a recording, no camera; run it with perception demo.")
    return found


def _probe(spec: str) -> Callable[[], bool] | None:
    """Whether anybody listens at an address; None where only a whole connection tells."""
    parts = split_address(spec)
    port = parts.port or _TCP_PORTS.get(parts.scheme.lower())
    if parts.scheme.lower() not in _TCP_PORTS or not parts.hostname or port is None:
        return None
    return partial(_listens, parts.hostname, port)


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=_PROBE_S):
            return True
    except (OSError, UnicodeError):
        return False
