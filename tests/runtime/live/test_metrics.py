"""``/metrics`` and ``/healthz`` over a live source that the test drives."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.live import ScriptedReader, live_source, opener_of, wait_until

from perception.errors import PerceptionError, UsageError
from perception.runtime.live.metrics import MetricsServer
from perception.runtime.live.monitor import LiveMonitor
from perception.types import Forecasts, Scene, Tracks


@pytest.fixture
def reader() -> ScriptedReader:
    return ScriptedReader()


@pytest.fixture
def monitor(reader: ScriptedReader) -> Iterator[LiveMonitor]:
    """A camera that sent three pictures, of which one was damaged and one is used, and one that is not there."""
    source = live_source(opener_of("front", reader), opener_of("rear"))
    reader.send(None, 1, 2)
    monitor = LiveMonitor.of(source)
    assert monitor is not None
    frame_set = next(iter(source))
    monitor.add(Scene(frame_set=frame_set, detections={}, tracks=Tracks.empty(), forecasts=Forecasts.empty()))
    wait_until(lambda: monitor.status.cameras[1].losses > 0)
    yield monitor
    source.close()


def answer(port: int, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    return response.status, response.read().decode()


def test_metrics_say_what_became_of_each_frame(monitor: LiveMonitor) -> None:
    with MetricsServer("127.0.0.1:0", monitor) as server:
        code, text = answer(server.port, "/metrics")
    assert code == 200
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["perception_camera_frames_total", "front", "sent"] == 3
    assert samples["perception_camera_frames_total", "front", "used"] == 1
    assert samples["perception_camera_frames_total", "damaged", "front"] == 1
    assert samples["perception_camera_frames_total", "front", "waiting"] == 1
    assert (samples["perception_camera_live", "front"], samples["perception_camera_live", "rear"]) == (1, 0)
    assert samples["perception_camera_losses_total", "rear"] >= 1
    assert samples["perception_skew_seconds_count",] == 1
    assert samples["perception_glass_to_result_seconds_count",] == 1


def test_health_is_good_while_any_camera_is_live(monitor: LiveMonitor, reader: ScriptedReader) -> None:
    with MetricsServer("127.0.0.1:0", monitor) as server:
        code, text = answer(server.port, "/healthz")
        assert code == 200 and json.loads(text)["cameras"]["front"] == "live"
        reader.end()
        wait_until(lambda: monitor.status.cameras[0].state == "lost")
        code, text = answer(server.port, "/healthz")
        assert code == 503 and json.loads(text) == json.loads(text) | {"ok": False, "instants": 1}
        assert answer(server.port, "/")[0] == 404


def test_beyond_this_machine_only_with_a_token(monitor: LiveMonitor, monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:9100", "example.com:1"):
        with pytest.raises(UsageError, match=r"metrics .*: would be open to other machines"):
            MetricsServer(address, monitor)
    with pytest.raises(UsageError, match="would be open"):
        MetricsServer("0.0.0.0:0", monitor, token="short")
    monkeypatch.setenv("PERCEPTION_TOKEN", "a-token-that-is-long")
    with MetricsServer("0.0.0.0:0", monitor) as server:
        assert answer(server.port, "/metrics")[0] == 401
        assert answer(server.port, "/healthz", Authorization="Bearer wrong")[0] == 401
        assert answer(server.port, "/metrics", Authorization="Bearer a-token-that-is-long")[0] == 200


@pytest.mark.parametrize("address", ["9100", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:-1", ":9100"])
def test_what_is_no_address_is_refused(address: str, monitor: LiveMonitor) -> None:
    with pytest.raises(UsageError, match=r"is no address; write 127\.0\.0\.1:9100"):
        MetricsServer(address, monitor)


def test_a_port_that_is_taken_is_one_sentence(monitor: LiveMonitor) -> None:
    with MetricsServer("127.0.0.1:0", monitor) as server, pytest.raises(PerceptionError, match="cannot listen there"):
        MetricsServer(f"127.0.0.1:{server.port}", monitor)


def test_the_report_has_the_cameras_and_the_latency_by_thirds(monitor: LiveMonitor) -> None:
    content = monitor.to_json()
    assert content["cameras"]["front"]["frames"]["used"] == 1
    assert content["glass_to_result_ms"]["p95"] > 0 and len(content["glass_to_result_ms"]["p95_by_third"]) >= 1
    assert monitor.line().startswith("1 of 2 live, rear ")
