"""Which stream of a container is the video, at what rate it runs, and which way up its pictures are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import numpy as np
from av.container import InputContainer
from av.format import Flags
from av.sidedata.sidedata import Type
from av.stream import Disposition
from av.video.stream import VideoStream

from perception.arrays import IntArray
from perception.errors import UsageError
from perception.safety.certificates import verifying_options
from perception.safety.input_limits import MAX_PICTURE_PIXELS, check_picture_size
from perception.safety.regular_files import check_regular
from perception.sources.images import RgbImage

FALLBACK_RATE_FPS = 25.0
ENCRYPTED = ("https", "rtsps", "rtmps")
_CONCEALS_ON_ONE_THREAD = ("h264",)
"""Codecs of which FFmpeg repairs damaged pictures only without slice threads."""


def open_container(
    location: str, *, timeout_s: float | None = None, options: dict[str, str] | None = None
) -> InputContainer:
    """Open what FFmpeg can read, whatever the encoding of its titles.

    Raises PyAV's errors, and ``OSError`` for a file that is no regular one.
    """
    if timeout_s is None:
        check_regular(Path(location))
    limited = {"max_pixels": str(MAX_PICTURE_PIXELS), **(options or {})}
    if urlsplit(location).scheme.lower() in ENCRYPTED:
        limited |= verifying_options()
    return av.open(location, timeout=timeout_s, options=limited, metadata_errors="replace")


def best_video_stream(container: InputContainer, *, label: str) -> VideoStream:
    """The stream to decode: the one that FFmpeg prefers, an album's cover never.

    Raises ``UsageError`` when there is none (``tty``: FFmpeg renders plain text).
    """
    streams = video_streams(container)
    if not streams or container.format.name == "tty":
        raise UsageError(f"{label}: holds no video; give a video file, an image folder, an address or a webcam number.")
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        raise UsageError(f"{label}: is of a codec that is not known here; convert it to H.264.")
    best = container.streams.best("video")
    stream = next((stream for stream in decodable if best is not None and stream.index == best.index), decodable[0])
    # Frame threads lose the readable frames that are in flight when a later packet is damaged.
    context = stream.codec_context
    check_picture_size(label, (context.width, context.height))
    context.options = {**context.options, "max_pixels": str(MAX_PICTURE_PIXELS)}
    stream.thread_type = "NONE" if stream.codec_context.name in _CONCEALS_ON_ONE_THREAD else "SLICE"
    return stream


def video_streams(container: InputContainer) -> list[VideoStream]:
    """The container's video streams without attached pictures."""
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def unread_streams_note(container: InputContainer, stream: VideoStream, *, label: str) -> list[str]:
    """A sentence that names the video streams beside ``stream``; none where there are none."""
    others = [other for other in video_streams(container) if other.index != stream.index]
    if not others:
        return []
    unread = ", ".join(_described(other) for other in others)
    return [f"{label}: holds {len(others) + 1} video streams; {_described(stream)} is read, and not {unread}."]


def is_raw(container: InputContainer) -> bool:
    """Whether the frames have no times, as in a bare H.264 stream."""
    return bool(Flags(container.format.flags) & Flags.no_timestamps)


def nominal_rate_fps(stream: VideoStream) -> float:
    """The stream's average rate, or the best guess where the container does not state it."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else FALLBACK_RATE_FPS


def rgb_of(frame: av.VideoFrame) -> RgbImage:
    """Pixels of a decoded frame, turned and mirrored as its display matrix says; uint8 (H, W, 3).

    The matrix is rounded to whole quarter turns.
    """
    image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    matrix = _display_matrix(frame)
    return image if matrix is None else _displayed(image, matrix)


def _described(stream: VideoStream) -> str:
    context = stream.codec_context
    kind = "unknown codec" if context is None else f"{context.name}, {context.width}x{context.height}"
    return f"stream {stream.index} ({kind})"


def _display_matrix(frame: av.VideoFrame) -> IntArray | None:
    """(3, 3) FFmpeg's: a row vector (x, y, 1) of the picture times it is where the pixel is shown."""
    # PyAV's own types call it a dictionary of motion vectors.
    side_data: Iterable[Any] = frame.side_data
    data = next((bytes(data) for data in side_data if data.type is Type.DISPLAYMATRIX), None)
    return None if data is None else np.frombuffer(data, np.int32).reshape(3, 3).astype(np.int64)


def _displayed(image: RgbImage, matrix: IntArray) -> RgbImage:
    (xx, xy), (yx, yy) = matrix[:2, :2].tolist()
    if abs(xy) + abs(yx) > abs(xx) + abs(yy):
        image, xx, yy = image.swapaxes(0, 1), yx, xy
    return np.ascontiguousarray(image[:: -1 if yy < 0 else 1, :: -1 if xx < 0 else 1])
