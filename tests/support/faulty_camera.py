"""A network camera on loopback that does what the test wants, byte by byte."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence

from support.loopback_server import LoopbackServer
from support.media import numbered_image
from support.mjpeg_server import jpeg_bytes

HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
END = b"--frame--\r\n"


def part(content: bytes, *, length: str | None = "right", more: str = "") -> bytes:
    """One picture with its headers; ``length`` is what Content-Length says, None leaves it out."""
    stated = str(len(content)) if length == "right" else length
    header = "" if stated is None else f"Content-Length: {stated}\r\n"
    return f"--frame\r\nContent-Type: image/jpeg\r\n{header}{more}\r\n".encode() + content + b"\r\n"


def picture(number: int, *, size_px: tuple[int, int] = (96, 64)) -> bytes:
    """A JPEG that says its number."""
    return jpeg_bytes(numbered_image(number % 25, size_px=size_px))


class Connection:
    """One client; ``send`` fails quietly once it is gone, which ``is_over`` tells."""

    def __init__(self, connection: socket.socket, closing: threading.Event) -> None:
        self._connection = connection
        self._closing = closing
        self._is_gone = False

    @property
    def is_over(self) -> bool:
        return self._is_gone or self._closing.is_set()

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            if not self.is_over:
                try:
                    self._connection.sendall(piece)
                except OSError:
                    self._is_gone = True

    def wait(self, seconds: float) -> None:
        self._closing.wait(seconds)

    def hang(self) -> None:
        self._closing.wait()

    def stream(self, *, fps: float = 20.0, count: int | None = None) -> None:
        """Pictures as they should be."""
        self.send(HEADERS)
        number = 0
        while not self.is_over and number != count:
            self.send(part(picture(number)))
            number += 1
            self.wait(1 / fps)


class FaultyCamera(LoopbackServer):
    """Serves the n-th client by the n-th of ``behaviours``, further ones by the last."""

    def __init__(self, *behaviours: Callable[[Connection], None]) -> None:
        super().__init__()
        self._behaviours: Sequence[Callable[[Connection], None]] = behaviours
        self.clients = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/video.mjpg"

    def serve(self, connection: socket.socket, closing: threading.Event) -> None:
        with contextlib.suppress(OSError), connection:
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(4096)
                if not piece:
                    return  # only looked whether anybody listens
                request += piece
            behaviour = self._behaviours[min(self.clients, len(self._behaviours) - 1)]
            self.clients += 1
            behaviour(Connection(connection, closing))
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
