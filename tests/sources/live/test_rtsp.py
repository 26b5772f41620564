"""An RTSP camera: its time of capture, and what happens when it is killed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from support.live import PATIENCE_S, PATIENT, assert_accounted, frames_of, wait_until
from support.media import number_of
from support.rtsp_server import RtspServer, encoded_pictures

from perception.sources import open_source
from perception.sources.live.source import LiveSource

SETTINGS = replace(PATIENT, may_be_missing=True, connect_timeout_s=10.0, lost_after_s=10.0, max_age_s=2.0)


@pytest.fixture(scope="module")
def pictures() -> list[list[bytes]]:
    return encoded_pictures()


def opened(server: RtspServer) -> LiveSource:
    source = open_source([f"cam={server.url}"], live=SETTINGS)
    assert isinstance(source, LiveSource)
    return source


@pytest.fixture
def consumer() -> Iterator[list[threading.Thread]]:
    threads: list[threading.Thread] = []
    yield threads
    for thread in threads:
        thread.join(PATIENCE_S)


@pytest.mark.parametrize(("clock_s", "origin"), [(0.0, "rtcp"), (-3600.0, "stream"), (None, "stream")])
def test_the_time_of_capture_is_by_rtcp_where_the_cameras_clock_is_right(
    pictures: list[list[bytes]], clock_s: float | None, origin: str
) -> None:
    with RtspServer(pictures, clock_s=clock_s) as server, closing(opened(server)) as source:
        found = []
        for frame_set in source:
            found.append((number_of(frame_set.frames[0].image), frame_set.timestamp_ns))
            if len(found) == 20:
                break
        assert source.status().cameras[0].time_origin == origin
    assert abs(found[-1][1] / 1e9 - time.time()) < PATIENCE_S
    # Twenty pictures a second, whatever the network's jitter.
    steps_s = [(after[1] - before[1]) / 1e9 for before, after in zip(found[-8:], found[-7:], strict=False)]
    assert steps_s == pytest.approx([0.05] * len(steps_s), abs=0.02)


def test_a_server_that_is_killed_costs_a_gap(pictures: list[list[bytes]], consumer: list[threading.Thread]) -> None:
    with RtspServer(pictures) as server:
        source = opened(server)
        consumer.append(threading.Thread(target=lambda: list(source)))
        consumer[0].start()
        wait_until(lambda: frames_of(source, "cam")["used"] > 10)
        server.stop()
        wait_until(lambda: source.status().cameras[0].losses == 1)
        time.sleep(0.5)
        server.start()
        wait_until(lambda: source.status().cameras[0].state == "live")
        used = frames_of(source, "cam")["used"]
        wait_until(lambda: frames_of(source, "cam")["used"] > used + 5)
        source.close()
    assert frames_of(source, "cam")["gap"] > 0
    assert_accounted(source)
