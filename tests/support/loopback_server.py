"""A server on loopback that can be switched off and on again at the same port."""

from __future__ import annotations

import contextlib
import socket
import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

Server = TypeVar("Server", bound="LoopbackServer")


class LoopbackServer(ABC):
    """Serves each client in a thread of its own; ``stop`` ends all connections, as when the power goes."""

    def __init__(self) -> None:
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []
        self._closing = threading.Event()
        self.port = 0

    @abstractmethod
    def serve(self, connection: socket.socket, closing: threading.Event) -> None:
        """One client, until ``closing`` is set or it is gone."""

    def start(self) -> None:
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=[self._listener, self._closing], daemon=True).start()

    def stop(self) -> None:
        self._closing.set()
        listener, self._listener = self._listener, None
        for connection in (*self._open, *([] if listener is None else [listener])):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open.clear()

    def __enter__(self: Server) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _accept(self, listener: socket.socket, closing: threading.Event) -> None:
        while not closing.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self.serve, args=[connection, closing], daemon=True).start()
