"""H.264 video files that can be read at any time."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from perception.errors import PerceptionError
from perception.files import ClosedAtExit, FileWatch, cannot_write, exists_already
from perception.visualization.mp4_boxes import cut_to_whole_boxes
from perception.visualization.primitives.resizing import letterboxed

_TICKS_PER_S = 90_000
_KEYFRAME_S = 2.0
# The encoder holds back a single picture, which is all that a killed process loses: threads work on slices of one
# picture, not on several pictures, and nothing but the next one is looked at.
_NO_DELAY = "rc-lookahead=1:sync-lookahead=0:sliced-threads=1"


class VideoWriter(ClosedAtExit):
    """Writes pictures with their own time stamps into an H.264 mp4 (yuv420p), as a context manager.

    Until it is closed the file is fragmented: each picture is complete in itself, so that what was written can be
    played when the process dies or the disk fills. That is also why it has its final name from the start and is no
    temporary file. ``close`` makes a plain mp4 of it in its place. The first picture fixes the size (odd sizes get a
    black row or column); later ones of another size are fitted in between black bars. The file is made with the first
    picture.

    ``rate_fps`` is nominal: it sets the length of the last picture and the distance of key frames. A picture whose
    time does not come after the one before is moved to one nominal step after it; ``moved`` counts these.
    ``crf`` is x264's quality (lower is better), ``preset`` its speed.

    Raises ``PerceptionError`` when the file exists, cannot be written, or is removed while it is written.
    """

    def __init__(self, path: Path, *, rate_fps: float, crf: int = 21, preset: str = "veryfast") -> None:
        if not 0 < rate_fps < 10_000:
            raise ValueError(f"VideoWriter: expected rate_fps between 0 and 10000, got {rate_fps}")
        self.path = path
        self.written = 0
        self.moved = 0
        self._rate_fps = rate_fps
        self._step_ticks = max(1, round(_TICKS_PER_S / rate_fps))
        self._codec_options = {
            "crf": str(crf),
            "preset": preset,
            # Without B-frames the order of writing is the order of time, which a fragmented file needs to start at 0.
            "bf": "0",
            "x264-params": _NO_DELAY,
        }
        self._failed: PerceptionError | None = None
        self._is_closed = False
        self._watch: FileWatch | None = None
        self._container: Any = None
        self._stream: Any = None
        self._size_px = (0, 0)
        self._first_ns = 0
        self._last_ticks = -1
        if path.exists() and path.is_file() and path.stat().st_size:
            raise exists_already(path)

    def write(self, picture: NDArray[np.uint8], timestamp_ns: int) -> None:
        """Append ``picture`` (H, W, 3), uint8 RGB, shown from ``timestamp_ns`` on; the first one is time zero."""
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(f"VideoWriter.write: expected uint8 (H, W, 3), got {picture.dtype} {picture.shape}")
        if self._is_closed:
            raise ValueError(f"VideoWriter.write: {self.path} is closed")
        if self._failed is not None:
            raise self._failed
        try:
            if self._container is None:
                self._open(picture, timestamp_ns)
            fitted = np.ascontiguousarray(letterboxed(picture, self._size_px))
            frame = av.VideoFrame.from_ndarray(fitted, format="rgb24")
            frame.pts = self._ticks(timestamp_ns)
            frame.time_base = Fraction(1, _TICKS_PER_S)
            self._mux(self._container, self._stream.encode(frame))
        except (av.error.FFmpegError, OSError) as error:
            self._failed = cannot_write(self.path, error)
            raise self._failed from error
        self._check()
        self.written += 1

    def close(self) -> None:
        """Write what the encoder still holds and finish the file; safe to call twice."""
        self._is_closed = True
        container, self._container = self._container, None
        if container is None:
            return
        try:
            try:
                # Writing to a file whose header could not be written ends FFmpeg with a segmentation fault.
                if self._failed is None:
                    self._mux(container, self._stream.encode(None))
            finally:
                container.close()
        except (av.error.FFmpegError, OSError) as error:
            cut_to_whole_boxes(self.path)
            raise cannot_write(self.path, error) from error
        self._check()

    def _open(self, picture: NDArray[np.uint8], timestamp_ns: int) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        height, width = picture.shape[:2]
        self._size_px = (width + width % 2, height + height % 2)
        self._first_ns = timestamp_ns
        mux_options = {
            "movflags": "frag_every_frame+empty_moov+default_base_moof+hybrid_fragmented",
            "flush_packets": "1",
        }
        self._container = av.open(str(self.path), "w", format="mp4", options=mux_options)
        rate = max(Fraction(1, 1001), Fraction(self._rate_fps).limit_denominator(1001))
        self._stream = self._container.add_stream("libx264", rate=rate, options=self._codec_options)
        self._stream.width, self._stream.height = self._size_px
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        self._stream.codec_context.gop_size = max(1, round(_KEYFRAME_S * self._rate_fps))
        self._container.start_encoding()
        self._watch = FileWatch(self.path)

    def _check(self) -> None:
        """Raise ``PerceptionError`` where the file was removed."""
        if self._watch is not None and self._failed is None:
            self._watch.check()

    def _ticks(self, timestamp_ns: int) -> int:
        ticks = round((timestamp_ns - self._first_ns) * _TICKS_PER_S / 1e9)
        if ticks <= self._last_ticks:
            ticks = self._last_ticks + self._step_ticks
            self.moved += 1
        self._last_ticks = ticks
        return ticks

    def _mux(self, container: Any, packets: list[Any]) -> None:
        for packet in packets:
            # The file needs a length for the last picture of each fragment, when the next one is not known yet.
            packet.duration = self._step_ticks
            container.mux(packet)
