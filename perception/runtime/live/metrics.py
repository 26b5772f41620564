"""``/metrics`` for Prometheus and ``/healthz`` for whoever starts and stops the program, by HTTP."""

from __future__ import annotations

import hmac
import ipaddress
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import numpy as np

from perception.errors import PerceptionError, UsageError
from perception.runtime.live.monitor import LiveMonitor
from perception.sources.live.status import Measured

TOKEN_VARIABLE = "PERCEPTION_TOKEN"
"""The environment variable with the token that requests from other machines must bear."""

_BUCKETS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)
_MIN_TOKEN = 16


class MetricsServer:
    """Serves what ``monitor`` measures at ``address``, "host:port", while the block runs.

    Beyond this machine it listens only where a token is set, and answers only those who bear it. ``/healthz`` is 200
    while any camera is live, else 503.

    Raises ``UsageError`` for an address that cannot be, one beyond this machine without a token, or a missing package,
    ``PerceptionError`` where it cannot listen.
    """

    def __init__(self, address: str, monitor: LiveMonitor, *, token: str | None = None) -> None:
        host, port = _split(address)
        token = token if token is not None else os.environ.get(TOKEN_VARIABLE)
        if not _is_loopback(host) and (token is None or len(token) < _MIN_TOKEN):
            raise UsageError(
                f"would be open to other machines; use 127.0.0.1:{port}, or set {TOKEN_VARIABLE} to a token of at "
                f"least {_MIN_TOKEN} signs.",
                field="metrics",
                value=address,
            )
        registry = _registry(monitor)
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(registry, monitor, token))
        except OSError as error:
            raise PerceptionError(
                f"cannot listen there ({error.strerror or error}); choose another port.", field="metrics", value=address
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True
        )

    @property
    def port(self) -> int:
        """Where it listens; chosen by the system where 0 was asked for."""
        return int(self._server.server_address[1])

    def __enter__(self) -> MetricsServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def health(monitor: LiveMonitor) -> tuple[int, dict[str, Any]]:
    """The HTTP status and what is said beside it."""
    cameras = {camera.name: camera.state for camera in monitor.status.cameras}
    is_well = "live" in cameras.values()
    return (200 if is_well else 503), {"ok": is_well, "cameras": cameras, "instants": monitor.instants}


def _split(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise UsageError("is no address; write 127.0.0.1:9100.", field="metrics", value=address)
    return host, int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _registry(monitor: LiveMonitor) -> Any:
    try:
        from prometheus_client import CollectorRegistry
    except ImportError as error:
        raise UsageError(
            "needs the package prometheus-client; install perception[metrics].", field="metrics"
        ) from error
    registry = CollectorRegistry()
    registry.register(_Collector(monitor))
    return registry


class _Collector:
    """Reads everything anew for each request: nothing is kept twice."""

    def __init__(self, monitor: LiveMonitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        status = self._monitor.status
        frames = CounterMetricFamily(
            "perception_camera_frames", "Frames that a camera sent, by what became of them", labels=["camera", "fate"]
        )
        live = GaugeMetricFamily("perception_camera_live", "1 while a camera is live", labels=["camera"])
        state = GaugeMetricFamily("perception_camera_state", "1 for a camera's state", labels=["camera", "state"])
        rate = GaugeMetricFamily("perception_camera_rate_fps", "Pictures per second", labels=["camera"])
        losses = CounterMetricFamily("perception_camera_losses", "How often a camera was lost", labels=["camera"])
        away = CounterMetricFamily("perception_camera_away_seconds", "Time for which it was lost", labels=["camera"])
        for camera in status.cameras:
            for fate, count in camera.frames.items():
                frames.add_metric([camera.name, fate], count)
            live.add_metric([camera.name], camera.state == "live")
            state.add_metric([camera.name, camera.state], 1)
            rate.add_metric([camera.name], camera.rate_fps)
            losses.add_metric([camera.name], camera.losses)
            away.add_metric([camera.name], camera.away_s)
        yield from (frames, live, state, rate, losses, away)
        yield _histogram("perception_skew_seconds", "First to last frame of an instant", status.skew)
        yield _histogram("perception_glass_to_result_seconds", "From the lens to the result", self._monitor.latency)


def _histogram(name: str, text: str, measured: Measured) -> Any:
    from prometheus_client.core import HistogramMetricFamily

    values = np.array(measured.values, np.float64)
    counts = [(str(edge), int((values <= edge).sum())) for edge in _BUCKETS_S]
    return HistogramMetricFamily(name, text, buckets=[*counts, ("+Inf", len(values))], sum_value=float(values.sum()))


def _handler(registry: Any, monitor: LiveMonitor, token: str | None) -> type[BaseHTTPRequestHandler]:
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if token is not None and not _bears(self.headers.get("Authorization", ""), token):
                self._answer(401, b"", "text/plain")
            elif self.path == "/metrics":
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif self.path == "/healthz":
                code, content = health(monitor)
                self._answer(code, json.dumps(content).encode(), "application/json")
            else:
                self._answer(404, b"", "text/plain")

        def _answer(self, code: int, content: bytes, kind: str) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            """Nothing: requests come each second."""

    return Handler


def _bears(header: str, token: str) -> bool:
    return hmac.compare_digest(header.encode(), f"Bearer {token}".encode())
