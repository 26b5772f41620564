"""An RTSP camera on loopback: H.264 by RTP over the RTSP connection itself, with RTCP's sender reports."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from fractions import Fraction

import av
from support.loopback_server import LoopbackServer
from support.media import numbered_image

_NTP_OFFSET_S = 2_208_988_800
_CLOCK_HZ = 90_000
_PACKET_BYTES = 1200
_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track1\r\n"
)


def encoded_pictures(count: int = 50, *, size_px: tuple[int, int] = (96, 64)) -> list[list[bytes]]:
    """The NAL units of each picture; each is a key frame with its parameter sets."""
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height = size_px
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, 25)
    context.options = {"tune": "zerolatency", "x264-params": "keyint=1:repeat-headers=1", "preset": "ultrafast"}
    found = []
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(numbered_image(number % 25, size_px=size_px), format="rgb24")
        frame.pts = number
        data = b"".join(bytes(packet) for packet in context.encode(frame))
        found.append([unit for unit in re.split(rb"\x00\x00\x00?\x01", data) if unit])
    return found


class RtspServer(LoopbackServer):
    """Serves the pictures again and again at ``fps`` to each client.

    ``clock_s`` is added to the wall clock that its sender reports state; None sends no reports.
    """

    def __init__(self, pictures: list[list[bytes]], *, fps: float = 20.0, clock_s: float | None = 0.0) -> None:
        super().__init__()
        self._pictures = pictures
        self._fps = fps
        self._clock_s = clock_s

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/stream"

    def serve(self, connection: socket.socket, closing: threading.Event) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as requests:
            while request := requests.readline().decode("latin-1").split():
                headers = {}
                while (line := requests.readline().decode("latin-1").strip()) != "":
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                method = request[0]
                connection.sendall(self._answer(method, headers))
                if method == "PLAY":
                    self._play(connection, closing)
                    return

    def _answer(self, method: str, headers: dict[str, str]) -> bytes:
        more, content = "", ""
        if method == "OPTIONS":
            more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        elif method == "DESCRIBE":
            content = _SDP
            more = f"Content-Base: {self.url}/\r\nContent-Type: application/sdp\r\nContent-Length: {len(_SDP)}\r\n"
        elif method == "SETUP":
            if "TCP" not in headers.get("transport", ""):
                return f"RTSP/1.0 461 Unsupported Transport\r\nCSeq: {headers.get('cseq')}\r\n\r\n".encode()
            more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
        elif method == "PLAY":
            more = "Session: 1\r\nRange: npt=0-\r\n"
        return f"RTSP/1.0 200 OK\r\nCSeq: {headers.get('cseq')}\r\n{more}\r\n{content}".encode()

    def _play(self, connection: socket.socket, closing: threading.Event) -> None:
        started_s, sequence, number = time.time(), 0, 0
        while not closing.is_set():
            now_s = started_s + number / self._fps
            ticks = round(number / self._fps * _CLOCK_HZ) & 0xFFFFFFFF
            if self._clock_s is not None and number % 10 == 0:
                connection.sendall(_interleaved(1, _sender_report(now_s + self._clock_s, ticks)))
            units = self._pictures[number % len(self._pictures)]
            payloads = [part for unit in units for part in _fragments(unit)]
            for position, payload in enumerate(payloads):
                marker = 0x80 if position == len(payloads) - 1 else 0
                header = struct.pack(">BBHII", 0x80, 96 | marker, sequence & 0xFFFF, ticks, 1)
                connection.sendall(_interleaved(0, header + payload))
                sequence += 1
            number += 1
            closing.wait(max(0.0, started_s + number / self._fps - time.time()))


def _fragments(unit: bytes) -> list[bytes]:
    """A NAL unit as it is, or in fragments (FU-A) where it is too large for a packet."""
    if len(unit) <= _PACKET_BYTES:
        return [unit]
    indicator, kind, content = (unit[0] & 0xE0) | 28, unit[0] & 0x1F, unit[1:]
    pieces = [content[start : start + _PACKET_BYTES] for start in range(0, len(content), _PACKET_BYTES)]
    last = len(pieces) - 1
    return [
        bytes([indicator, kind | (0x80 if number == 0 else 0) | (0x40 if number == last else 0)]) + piece
        for number, piece in enumerate(pieces)
    ]


def _sender_report(now_s: float, ticks: int) -> bytes:
    ntp = round((now_s + _NTP_OFFSET_S) * 2**32)
    return struct.pack(">BBHIQIII", 0x80, 200, 6, 1, ntp, ticks, 0, 0)


def _interleaved(channel: int, packet: bytes) -> bytes:
    return struct.pack(">cBH", b"$", channel, len(packet)) + packet
