"""What cameras do wrong: another camera goes on, the faulty one is back or told, every frame is accounted for."""

from __future__ import annotations

import struct
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest
from support.faulty_camera import END, HEADERS, Connection, FaultyCamera, part, picture
from support.live import PATIENCE_S, PATIENT, assert_accounted, frames_of, wait_until

from perception.sources import open_source
from perception.sources.live.readers import multipart
from perception.sources.live.source import LiveSource

SETTINGS = replace(
    PATIENT, may_be_missing=True, stale_after_s=0.2, lost_after_s=0.5, connect_timeout_s=5.0, max_wait_s=0.05
)


def closes_between_pictures(client: Connection) -> None:
    client.stream(count=3)


def ends_with_a_marker(client: Connection) -> None:
    client.stream(count=3)
    client.send(END)


def hangs_inside_a_picture(client: Connection) -> None:
    client.send(HEADERS, part(picture(1)), part(picture(2))[:300])
    client.hang()


def drips(client: Connection) -> None:
    client.send(HEADERS, part(picture(1)))
    for byte in part(picture(2)):
        client.send(bytes([byte]))
        client.wait(0.1)


def closes_inside_a_picture(client: Connection) -> None:
    client.send(HEADERS, part(picture(1)), part(picture(2))[:300])


def sends_a_picture_without_end(client: Connection) -> None:
    client.send(HEADERS, part(picture(1)), b"--frame\r\n\r\n")
    while not client.is_over:
        client.send(b"x" * 65536)


def sends_headers_without_end(client: Connection) -> None:
    client.send(HEADERS, part(picture(1)), b"--frame\r\n")
    while not client.is_over:
        client.send(b"X-Bomb: 1\r\n" * 1000)


def answers_with(status: str, *headers: str) -> Callable[[Connection], None]:
    answer = "\r\n".join([f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "", ""]).encode()
    return lambda client: client.send(answer)


def answers_with_a_bomb_of_headers(client: Connection) -> None:
    client.send(b"HTTP/1.1 200 OK\r\n")
    while not client.is_over:
        client.send(b"X-Bomb: " + b"1" * 10_000 + b"\r\n")


def answers_no_http(client: Connection) -> None:
    client.send(b"\x00\xff what is this\r\n\r\n")


def sends_unreadable_pictures_only(client: Connection) -> None:
    client.send(HEADERS)
    while not client.is_over:
        client.send(part(b"\xff\xd8 nothing"))
        client.wait(0.02)


LOSSES = [
    closes_between_pictures,
    ends_with_a_marker,
    hangs_inside_a_picture,
    drips,
    closes_inside_a_picture,
    sends_a_picture_without_end,
    sends_headers_without_end,
    answers_with("401 Unauthorized", 'WWW-Authenticate: Basic realm="x"'),
    answers_with("404 Not Found"),
    answers_with("500 Internal Server Error"),
    answers_with("302 Found", "Location: /again"),
    answers_with_a_bomb_of_headers,
    answers_no_http,
    sends_unreadable_pictures_only,
]
NAMES = [getattr(fault, "__name__", "fault").strip("<>") for fault in LOSSES]


def healthy(client: Connection) -> None:
    client.stream()


@pytest.mark.parametrize("fault", LOSSES, ids=[f"{number}-{name}" for number, name in enumerate(NAMES)])
def test_a_fault_costs_its_camera_only_which_comes_back(
    fault: Callable[[Connection], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipart, "MAX_PART_BYTES", 1 << 20)
    # A redirect loop takes several requests of one attempt.
    clients = 30 if fault is LOSSES[10] else 1
    with FaultyCamera(*[fault] * clients, healthy) as bad, FaultyCamera(healthy) as good:
        source = open_source([f"bad={bad.url}", f"good={good.url}"], newest_only=True, live=SETTINGS)
        assert isinstance(source, LiveSource)
        ends_s = time.monotonic() + PATIENCE_S
        with closing(source):
            for _ in source:
                bad_one, good_one = source.status().cameras
                if bad.clients > clients and bad_one.state == "live" and bad_one.frames["used"] > 5:
                    break
                assert time.monotonic() < ends_s, bad_one
    assert bad_one.losses >= 1 and good_one.losses == 0
    lost = next(event for event in bad_one.events if event["state"] == "lost")
    assert lost["cause"] and lost["time"]
    assert_accounted(source)


def run_with(behaviour: Callable[[Connection], None], *, until: Callable[[LiveSource], bool]) -> LiveSource:
    """The source of one such camera, run until something is so, and closed."""
    with FaultyCamera(behaviour) as camera:
        source = open_source([f"cam={camera.url}"], newest_only=True, live=SETTINGS)
        assert isinstance(source, LiveSource)
        ends_s = time.monotonic() + PATIENCE_S
        with closing(source):
            for _ in source:
                if until(source):
                    break
                assert time.monotonic() < ends_s
    assert_accounted(source)
    return source


def sends(*pieces: bytes, pause_s: float = 0.02) -> Callable[[Connection], None]:
    """These again and again."""

    def behaviour(client: Connection) -> None:
        client.send(HEADERS)
        while not client.is_over:
            for piece in pieces:
                client.send(piece)
                client.wait(pause_s)

    return behaviour


def used_at_least(count: int) -> Callable[[LiveSource], bool]:
    return lambda source: frames_of(source, "cam")["used"] >= count


@pytest.mark.parametrize("length", [None, "-1", "99999999999999", "wrong", "500000"])
def test_lengths_that_are_wrong_lose_no_picture(length: str | None) -> None:
    pieces = [part(picture(number), length=length) for number in range(5)]
    source = run_with(sends(*pieces), until=used_at_least(10))
    assert frames_of(source, "cam")["damaged"] == 0
    assert source.status().cameras[0].losses == 0


def test_garbage_between_parts_and_half_pictures_cost_nothing_else() -> None:
    pieces = [b"\x00garbage\r\n" * 50, part(picture(1)), part(picture(2)[:300]), part(picture(3))]
    source = run_with(sends(*pieces), until=used_at_least(10))
    assert frames_of(source, "cam")["damaged"] >= 4
    assert source.status().cameras[0].losses == 0


def test_another_resolution_and_another_rate_are_taken_as_they_come() -> None:
    sizes: set[tuple[int, int]] = set()

    def behaviour(client: Connection) -> None:
        client.send(HEADERS)
        number = 0
        while not client.is_over:
            number += 1
            client.send(part(picture(number, size_px=(96, 64) if number % 20 < 10 else (160, 90))))
            client.wait(0.005 if number % 20 < 10 else 0.05)

    with FaultyCamera(behaviour) as camera:
        source = open_source([f"cam={camera.url}"], newest_only=True, live=SETTINGS)
        with closing(source):
            for frame_set in source:
                sizes |= {frame.size_px for frame in frame_set}
                if len(sizes) == 2 and frame_set.index > 30:
                    break
    assert sizes == {(96, 64), (160, 90)}


def test_the_same_picture_for_ever_is_a_frozen_camera() -> None:
    with FaultyCamera(sends(part(picture(1)))) as camera:
        settings = replace(SETTINGS, frozen_after_s=0.3)
        source = open_source([f"cam={camera.url}"], newest_only=True, live=settings)
        assert isinstance(source, LiveSource)
        consumer = threading.Thread(target=lambda: list(source))
        consumer.start()
        wait_until(lambda: frames_of(source, "cam")["repeated"] > 5)
        assert source.status().cameras[0].state == "frozen"
        source.close()
        consumer.join(PATIENCE_S)
    assert_accounted(source)


def test_a_thousand_frames_a_second_are_counted() -> None:
    pieces = [part(picture(number)) for number in range(50)]
    source = run_with(sends(*pieces, pause_s=0.0), until=lambda source: frames_of(source, "cam")["sent"] > 2000)
    frames = frames_of(source, "cam")
    assert frames["overrun"] > frames["used"] > 0


def test_pictures_of_twenty_megapixels_are_seen() -> None:
    source = run_with(sends(part(picture(1, size_px=(5472, 3648)))), until=used_at_least(2))
    assert frames_of(source, "cam")["damaged"] == 0


def test_a_small_file_of_a_huge_picture_is_not_decoded() -> None:
    side = 30_000
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(side) * 8, 9)), (b"IEND", b"")]
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    source = run_with(sends(part(bomb), part(picture(1)), part(picture(2))), until=used_at_least(4))
    assert frames_of(source, "cam")["damaged"] >= 1


def test_a_clock_that_is_set_back_does_not_stop_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [part(picture(n), more=f"X-Timestamp: {stamp}\r\n") for n, stamp in enumerate([100.0, 100.02, 7.0, 7.02])]
    times: list[int] = []
    with FaultyCamera(sends(*pieces)) as camera:
        source = open_source([f"cam={camera.url}"], live=SETTINGS)
        with closing(source):
            for frame_set in source:
                times.append(frame_set.timestamp_ns)
                if len(times) == 5:
                    monkeypatch.setattr(time, "time", lambda: 0.0)
                    monkeypatch.setattr(time, "time_ns", lambda: 0)
                if len(times) == 12:
                    break
    assert times == sorted(set(times))
    assert times[-1] - times[0] < PATIENCE_S * 1e9


def test_a_camera_that_is_switched_off_is_back_soon_after_its_return() -> None:
    settings = replace(SETTINGS, first_pause_s=20.0, longest_pause_s=20.0)
    camera = FaultyCamera(healthy)
    with camera:
        source = open_source([f"cam={camera.url}"], newest_only=True, live=settings)
        assert isinstance(source, LiveSource)
        consumer = threading.Thread(target=lambda: list(source))
        consumer.start()
        wait_until(lambda: source.status().cameras[0].state == "live")
        camera.stop()
        wait_until(lambda: source.status().cameras[0].state == "lost")
        time.sleep(0.5)
        camera.start()
        started_s = time.monotonic()
        wait_until(lambda: source.status().cameras[0].state == "live")
        # Not after the pause of 10 to 20 s: it is seen that somebody listens again.
        assert time.monotonic() - started_s < 8
        source.close()
        consumer.join(PATIENCE_S)
    assert frames_of(source, "cam")["gap"] > 0
    assert_accounted(source)
