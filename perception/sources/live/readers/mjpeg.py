"""MJPEG by HTTP."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import math
import os
import socket
import zlib
from collections.abc import Generator
from functools import partial

from perception.errors import PerceptionError
from perception.sources.images import rgb_from_bytes
from perception.sources.live.readers.multipart import MultipartParser, Part
from perception.sources.live.readers.picture import NO_TAP, CapturedPicture, PacketTap, faulty

_READ_BYTES = 1 << 16


class MjpegReader:
    """JPEG pictures of a ``multipart/x-mixed-replace`` answer; only those that are used are decoded.

    ``X-Timestamp`` of a part is its time by the camera's clock.
    """

    def __init__(self, response: http.client.HTTPResponse, *, label: str) -> None:
        self._response = response
        self._label = label
        self._parser = MultipartParser(str(response.headers.get_param("boundary") or ""))
        self.rate_fps: float | None = None
        self.tap: PacketTap = NO_TAP

    def pictures(self) -> Generator[CapturedPicture, None, None]:
        """Each part. A stream that breaks off inside a picture gives that as a damaged one before it raises."""
        connection, numbers = self.tap.begin("mjpeg", b""), itertools.count()
        try:
            while not self._parser.has_ended and (data := self._response.read1(_READ_BYTES)):
                for part in self._parser.feed(data):
                    number = next(numbers)
                    self.tap.packet(part.content, number, is_key=True)
                    yield _picture(part, (connection, number))
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self._parser.is_inside:
                yield faulty("damaged")
            raise PerceptionError(f"{self._label}: {_reason(error)}; check the camera and the network.") from error
        if self._parser.is_inside and not self._parser.has_ended:
            yield faulty("damaged")
            raise PerceptionError(f"{self._label}: the connection broke off; check the camera and the network.")

    def abort(self) -> None:
        """Shut the connection, so that a read in another thread ends."""
        # http.client has no stream left once it has read to the end: AttributeError.
        with (
            contextlib.suppress(OSError, ValueError, AttributeError),
            socket.socket(fileno=os.dup(self._response.fileno())) as own,
        ):
            own.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._response.close()


def _picture(part: Part, key: tuple[int, int]) -> CapturedPicture:
    return CapturedPicture(
        to_rgb=partial(rgb_from_bytes, part.content),
        size_bytes=len(part.content),
        fingerprint=zlib.crc32(part.content),
        presented_s=_seconds(part.headers.get("x-timestamp")),
        encoded=part.content,
        key=key,
    )


def _seconds(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value < 1e11 else None


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no data came"
    return f"sends {error}" if isinstance(error, ValueError) else "the connection broke off"
