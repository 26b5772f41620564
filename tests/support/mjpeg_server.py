"""A camera on loopback: a real ``multipart/x-mixed-replace`` server."""

from __future__ import annotations

import base64
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def jpeg_bytes(image_rgb: NDArray[np.uint8]) -> bytes:
    is_encoded, data = cv2.imencode(".jpg", cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert is_encoded
    return bytes(data)


class MjpegServer:
    """Serves ``frames`` (RGB images, or bytes that are sent as they are) once to each client at ``fps``.

    ``fps`` 0 sends without pause. ``with_length=False`` leaves Content-Length out. ``credentials`` ("user:password")
    asks for Basic authentication. ``cut_last`` breaks off inside the last picture; ``hold_open`` keeps the connection
    silent after the last picture until the server closes; ``is_mute`` accepts and never answers. ``redirect`` is where
    requests for ``/start`` and below are sent; ``authorizations`` are those that came, in order.
    """

    def __init__(
        self,
        frames: Sequence[NDArray[np.uint8] | bytes],
        fps: float = 20.0,
        *,
        with_length: bool = True,
        credentials: str | None = None,
        cut_last: bool = False,
        hold_open: bool = False,
        is_mute: bool = False,
        redirect: str | None = None,
    ) -> None:
        pictures = [frame if isinstance(frame, bytes) else jpeg_bytes(frame) for frame in frames]
        self._closing = closing = threading.Event()
        wanted = None if credentials is None else "Basic " + base64.b64encode(credentials.encode()).decode()

        self.authorizations = authorizations = list[str | None]()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if is_mute:
                    closing.wait()
                    return
                authorizations.append(self.headers.get("Authorization"))
                if redirect is not None and self.path.startswith("/start"):
                    self.send_response(302)
                    self.send_header("Location", redirect)
                    self.end_headers()
                    return
                if wanted is not None and self.headers.get("Authorization") != wanted:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                for number, picture in enumerate(pictures):
                    length = f"Content-Length: {len(picture)}\r\n" if with_length else ""
                    is_cut = cut_last and number == len(pictures) - 1
                    content = picture[: len(picture) // 2] if is_cut else picture + b"\r\n"
                    self.wfile.write(f"--frame\r\nContent-Type: image/jpeg\r\n{length}\r\n".encode() + content)
                    if is_cut or (fps and closing.wait(1 / fps)):
                        return
                if hold_open:
                    closing.wait()
                self.wfile.write(b"--frame--\r\n")

            def log_message(self, *args: Any) -> None:
                return

            def handle(self) -> None:
                try:
                    super().handle()
                except ConnectionError:
                    return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/video.mjpg"

    def __enter__(self) -> MjpegServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
