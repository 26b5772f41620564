import io
import socket
import threading
import time
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from support.live import (
    PATIENCE_S,
    PATIENT,
    ScriptedReader,
    assert_accounted,
    frames_of,
    live_source,
    numbers_in,
    opener_of,
    take,
    wait_until,
)
from support.media import number_of, numbered_image, write_video
from support.mjpeg_server import MjpegServer, jpeg_bytes
from support.rtsp_server import encoded_pictures

from perception.errors import CamerasLostError, PerceptionError, UsageError
from perception.protocols import Source
from perception.sources import open_source
from perception.sources.live import openers
from perception.sources.live.readers import stream
from perception.sources.live.source import LiveSource


def test_a_queue_keeps_all_frames_in_order_with_increasing_wall_clock_times() -> None:
    reader = ScriptedReader()
    before_ns = time.time_ns()
    source = live_source(opener_of("cam", reader))
    assert isinstance(source, Source) and source.is_live and source.length is None
    reader.send(1, 2, 3)
    sets = take(source, 3)
    assert [number_of(s.frames[0].image) for s in sets] == [1, 2, 3]
    assert [s.index for s in sets] == [0, 1, 2]
    times = [s.timestamp_ns for s in sets]
    assert times == sorted(set(times)) and abs(times[0] - before_ns) < 3_600_000_000_000
    assert source.dropped == 0 and source.warnings == []
    assert reader.is_closed.wait(PATIENCE_S)
    assert_accounted(source)


def test_newest_only_hands_out_the_last_and_counts_the_rest() -> None:
    reader = ScriptedReader()
    source = live_source(opener_of("cam", reader), newest_only=True)
    frames = iter(source)
    reader.send(1, 2, 3, 4)
    first = next(frames)
    reader.send(5, 6)
    second = next(frames)
    assert [s.frames[0].index for s in (first, second)] == [3, 5]
    assert [number_of(s.frames[0].image) for s in (first, second)] == [4, 6]
    assert source.dropped == 4
    assert frames_of(source, "cam")["overrun"] == 4
    source.close()
    assert list(frames) == []
    assert_accounted(source)


def test_the_queue_is_bounded_and_counts_what_it_loses() -> None:
    reader = ScriptedReader()
    source = live_source(opener_of("cam", reader))
    reader.send(*[n % 25 for n in range(40)])
    lost = source.dropped
    assert lost > 0
    assert [s.frames[0].index for s in take(source, 40 - lost)] == list(range(lost, 40))


def test_stride_leaves_out_without_counting_as_dropped() -> None:
    reader = ScriptedReader()
    source = live_source(opener_of("cam", reader), stride=3)
    reader.send(*range(7))
    assert source.rate_fps == pytest.approx(50 / 3)
    assert [s.frames[0].index for s in take(source, 3)] == [0, 3, 6]
    assert source.dropped == 0
    assert frames_of(source, "cam")["strided"] == 4
    assert_accounted(source)


def test_several_cameras_deliver_the_newest_of_each() -> None:
    left, right = ScriptedReader(), ScriptedReader()
    settings = replace(PATIENT, tolerance_s=PATIENCE_S)
    source = live_source(opener_of("left", left), opener_of("right", right), settings=settings, newest_only=True)
    left.send(1, 2)
    right.send(3)
    frames = iter(source)
    assert numbers_in(next(frames), number_of) == {"left": 2, "right": 3}
    source.close()
    assert source.dropped == 1
    assert source.status().skew.to_json() is not None


def test_a_camera_that_ends_is_tried_again_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    left, right, again = ScriptedReader(), ScriptedReader(), ScriptedReader()
    source = live_source(opener_of("left", left, again), opener_of("right", right))
    frames = iter(source)
    left.send(1)
    assert numbers_in(next(frames), number_of) == {"left": 1}
    left.end()
    wait_until(lambda: source.status().cameras[0].losses == 1)
    right.send(2)
    assert numbers_in(next(frames), number_of) == {"right": 2}
    again.send(3)
    assert numbers_in(next(frames), number_of) == {"left": 3}
    state = source.status().cameras[0]
    assert (state.state, state.losses) == ("live", 1)
    assert [event["state"] for event in state.events] == ["live", "lost", "live"]
    assert state.events[1]["cause"] == "the stream ended." and state.events[1]["time"]
    lost, back = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert lost.startswith("left: lost at ") and "the stream ended. Trying again in" in lost
    assert back.startswith("left: live again at ")
    source.close()
    assert any(warning.startswith("left: 1 time lost") for warning in source.warnings)
    assert_accounted(source)


def test_frames_lost_while_a_camera_was_away_are_estimated_from_time_and_rate() -> None:
    first, again = ScriptedReader(rate_fps=100.0), ScriptedReader(rate_fps=100.0)
    settings = replace(PATIENT, first_pause_s=0.4, longest_pause_s=0.4)
    source = live_source(opener_of("cam", first, again), settings=settings)
    first.send(1)
    first.fail("cam: broke off.")
    again.send(2)
    take(source, 2)
    # Half of the pause is chance; the rate is 100.
    assert frames_of(source, "cam")["gap"] >= 15
    assert source.dropped == 0
    assert_accounted(source)


def test_damaged_pictures_are_counted_and_left_out() -> None:
    reader = ScriptedReader()
    source = live_source(opener_of("cam", reader))
    reader.send(1, None, None, 2)
    reader.send_fault("damaged")
    reader.send_fault("stale")
    assert [number_of(s.frames[0].image) for s in take(source, 2)] == [1, 2]
    assert source.dropped == 4
    assert source.warnings == ["cam: 3 damaged frames left out."]
    assert frames_of(source, "cam")["stale"] == 1
    assert_accounted(source)


def test_a_frozen_camera_says_so_and_its_pictures_are_repeated() -> None:
    reader = ScriptedReader()
    source = live_source(opener_of("cam", reader), settings=replace(PATIENT, frozen_after_s=0.0))
    reader.send(4, 4, 4)
    assert source.status().cameras[0].state == "frozen"
    assert frames_of(source, "cam")["repeated"] == 3
    source.close()
    assert_accounted(source)


def test_a_silent_camera_is_stale_and_then_connected_to_again() -> None:
    silent, again = ScriptedReader(), ScriptedReader()
    settings = replace(PATIENT, stale_after_s=0.1, lost_after_s=0.3)
    source = live_source(opener_of("cam", silent, again), settings=settings)
    silent.send(1)
    wait_until(lambda: source.status().cameras[0].losses == 1)
    assert [event["state"] for event in source.status().cameras[0].events][:3] == ["live", "stale", "lost"]
    assert "nothing for" in source.status().cameras[0].cause
    again.send(2)
    assert [number_of(s.frames[0].image) for s in take(source, 2)] == [1, 2]


@pytest.mark.parametrize(("require", "ends"), [("any", False), ("all", True), (None, False)])
def test_required_cameras_that_are_lost_end_the_run(require: str | None, ends: bool) -> None:
    living = ScriptedReader()
    settings = replace(PATIENT, require=require, lost_after_s=0.2, stale_after_s=PATIENCE_S)
    source = live_source(opener_of("living", living), opener_of("gone"), settings=settings)
    living.send(0)
    stop = threading.Event()

    def feed() -> None:
        number = 0
        while not stop.wait(0.02):
            number += 1
            living.send(number % 25)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        if ends:
            with pytest.raises(CamerasLostError, match=r"gone: lost for 0.2 s, and all .*; the cause: refused"):
                for _ in source:
                    pass
        else:
            started_s = time.monotonic()
            assert any(time.monotonic() - started_s > 0.6 for _ in source)
    finally:
        stop.set()
        feeder.join()
        source.close()
    assert CamerasLostError("x").exit_code == 3


def test_any_is_missing_when_no_camera_is_there() -> None:
    settings = replace(PATIENT, require="any", lost_after_s=0.1)
    with pytest.raises(CamerasLostError, match="a, b: lost for"):
        next(iter(live_source(opener_of("a"), opener_of("b"), settings=settings)))


def test_cameras_are_added_and_removed_while_it_runs() -> None:
    first, second, third = ScriptedReader(), ScriptedReader(), ScriptedReader()
    source = live_source(opener_of("a", first))
    frames = iter(source)
    first.send(1)
    next(frames)
    source.add(opener_of("b", second))
    assert source.cameras == ("a", "b")
    second.send(2)
    assert numbers_in(next(frames), number_of) == {"b": 2}
    second.send(3)
    source.remove("b")
    assert second.is_closed.wait(PATIENCE_S)
    assert {camera.name: camera.state for camera in source.status().cameras} == {"a": "live", "b": "removed"}
    with pytest.raises(UsageError, match="camera b: is not there; known are a"):
        source.remove("b")
    with pytest.raises(UsageError, match="camera a: is there already"):
        source.add(opener_of("a", third))
    source.add(opener_of("b", third))
    third.send(4)
    assert numbers_in(next(frames), number_of) == {"b": 4}
    source.close()
    assert frames_of(source, "b") == frames_of(source, "b") | {"sent": 3, "used": 2, "unused": 1}
    assert_accounted(source)


def test_a_run_starts_with_any_camera_missing_and_takes_it_when_it_comes() -> None:
    there, late = ScriptedReader(), ScriptedReader()
    is_up = threading.Event()

    def connect() -> ScriptedReader:
        if not is_up.is_set():
            raise PerceptionError("refused.")
        return late

    source = live_source(opener_of("there", there), replace(opener_of("late"), open=connect))
    frames = iter(source)
    there.send(1)
    assert numbers_in(next(frames), number_of) == {"there": 1}
    is_up.set()
    late.send(2)
    assert numbers_in(next(frames), number_of) == {"late": 2}
    source.close()


def test_a_pause_ends_when_somebody_answers_again() -> None:
    first, again = ScriptedReader(), ScriptedReader()
    is_up = threading.Event()
    settings = replace(PATIENT, first_pause_s=2 * PATIENCE_S, longest_pause_s=2 * PATIENCE_S)
    source = live_source(opener_of("cam", first, again, answers=is_up.is_set), settings=settings)
    first.end()
    wait_until(lambda: source.status().cameras[0].state == "lost")
    is_up.set()
    again.send(1)
    assert len(take(source, 1)) == 1


def test_close_ends_a_waiting_iteration() -> None:
    source = live_source(opener_of("cam", ScriptedReader()))
    found: list[list[object]] = []
    consumer = threading.Thread(target=lambda: found.append(list(source)))
    consumer.start()
    source.close()
    source.close()
    consumer.join(PATIENCE_S)
    assert found == [[]]


def test_no_thread_is_left_after_the_end() -> None:
    before = threading.active_count()
    source = live_source(*(opener_of(f"cam{n}", ScriptedReader()) for n in range(5)), opener_of("gone"))
    source.close()
    wait_until(lambda: threading.active_count() <= before)


def test_a_reader_that_fails_in_any_way_costs_its_camera_only() -> None:
    class Broken(ScriptedReader):
        def pictures(self):  # type: ignore[no-untyped-def]
            raise ZeroDivisionError("oh")

    fine = ScriptedReader()
    source = live_source(opener_of("broken", Broken()), opener_of("fine", fine))
    wait_until(lambda: source.status().cameras[0].losses > 0)
    fine.send(1)
    assert len(take(source, 1)) == 1


@pytest.mark.parametrize("with_length", [True, False])
def test_mjpeg_over_http(with_length: bool) -> None:
    with MjpegServer([numbered_image(n) for n in range(8)], fps=50, with_length=with_length) as server:
        source = open_source([server.url], live=PATIENT)
        sets = take(source, 8)
    assert source.is_live and source.cameras == ("127.0.0.1",)
    assert [number_of(s.frames[0].image) for s in sets] == list(range(8))
    left = sets[4].frames[0].image[32, 20].astype(int)
    assert np.abs(left - [40, 200, 40]).max() < 12
    assert source.dropped == 0


@pytest.mark.parametrize("with_length", [True, False])
def test_mjpeg_of_a_camera_that_sends_no_end_marker(with_length: bool) -> None:
    pictures = [jpeg_bytes(numbered_image(n)).removesuffix(b"\xff\xd9") for n in range(4)]
    with MjpegServer([*pictures, pictures[0][:-9]], fps=50, with_length=with_length) as server:
        source = open_source([server.url], live=PATIENT)
        assert [number_of(s.frames[0].image) for s in take(source, 5)] == [0, 1, 2, 3, 0]
    assert isinstance(source, LiveSource) and frames_of(source, "127.0.0.1")["damaged"] == 1


def test_mjpeg_newest_only_accounts_for_every_frame() -> None:
    with MjpegServer([numbered_image(n) for n in range(20)], fps=0, hold_open=True) as server:
        source = open_source([server.url], newest_only=True, live=PATIENT)
        assert isinstance(source, LiveSource)
        wait_until(lambda: frames_of(source, "127.0.0.1")["sent"] == 20)
        (newest,) = take(source, 1)
    assert number_of(newest.frames[0].image) == 19
    assert frames_of(source, "127.0.0.1")["overrun"] == 19
    assert_accounted(source)


def test_mjpeg_with_a_password() -> None:
    with MjpegServer([numbered_image(1)], credentials="me:s3cret") as server:
        address = server.url.replace("://", "://me:s3cret@")
        assert len(take(open_source([address]), 1)) == 1
        with pytest.raises(PerceptionError, match="401") as caught:
            open_source([server.url.replace("://", "://me:wr0ng@") + "?pwd=wr0ng"])
    assert "wr0ng" not in str(caught.value) and server.url in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_password_follows_where_its_host_redirects_to() -> None:
    with MjpegServer([numbered_image(1)], credentials="me:s3cret", redirect="/live/1?fps=5") as server:
        address = f"http://me:s3cret@127.0.0.1:{server.port}/start/here"
        assert len(take(open_source([address]), 1)) == 1


def test_a_password_does_not_follow_to_another_host_or_port() -> None:
    with MjpegServer([numbered_image(1)], credentials="me:s3cret") as other:
        for elsewhere in (other.url, other.url.replace("127.0.0.1", "localhost")):
            with MjpegServer([], redirect=elsewhere) as server, pytest.raises(PerceptionError, match="401"):
                open_source([f"http://me:s3cret@127.0.0.1:{server.port}/start"])
        assert set(other.authorizations) == {None}


def test_a_redirect_that_is_no_address_keeps_its_secrets() -> None:
    with MjpegServer([], redirect="http://me:s3cret@127.0.0.1/x") as server, pytest.raises(PerceptionError) as caught:
        open_source([f"http://127.0.0.1:{server.port}/start"])
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
@pytest.mark.parametrize(
    "password", ["12/s3cr3t", "12?s3cr3t", "12#s3cr3t", "ab/s3cr3t", "a@b/s3cr3t", "[s3cr3t", "/s3cr3t"]
)
def test_signs_of_a_password_that_must_be_encoded(scheme: str, password: str) -> None:
    with pytest.raises(UsageError, match=r"/ as %2F, . as %3F, # as %23") as caught:
        open_source([f"{scheme}://me:{password}@127.0.0.1:9/v"])
    assert "s3cr3t" not in str(caught.value)


def test_an_encoded_password_and_an_at_sign_in_a_path() -> None:
    with MjpegServer([numbered_image(1)], credentials="me:1/2?3#4@5") as server:
        address = f"http://me:1%2F2%3F3%234%405@127.0.0.1:{server.port}/view@1"
        assert len(take(open_source([address]), 1)) == 1


def test_mjpeg_that_breaks_inside_a_picture() -> None:
    with MjpegServer([numbered_image(n) for n in range(4)], cut_last=True) as server:
        source = open_source([server.url], live=PATIENT)
        sets = take(source, 4)
    # The server begins anew with each connection.
    assert [number_of(s.frames[0].image) for s in sets] == [0, 1, 2, 0]
    assert any("broke off" in warning for warning in source.warnings)
    assert any("1 damaged" in warning for warning in source.warnings)


def test_mjpeg_that_falls_silent_is_connected_to_again() -> None:
    with MjpegServer([numbered_image(1)], hold_open=True) as server:
        settings = replace(PATIENT, stale_after_s=0.2, lost_after_s=0.5)
        source = open_source([server.url], live=settings)
        assert len(take(source, 2)) == 2
    assert any("lost" in warning and "nothing for" in warning for warning in source.warnings)


def test_mjpeg_with_a_damaged_picture() -> None:
    with MjpegServer([numbered_image(1), b"\xff\xd8garbage", numbered_image(2)]) as server:
        source = open_source([server.url], live=PATIENT)
        assert [number_of(s.frames[0].image) for s in take(source, 2)] == [1, 2]
    assert source.warnings == ["127.0.0.1: 1 damaged frame left out."]


def test_an_address_that_does_not_answer_is_given_up() -> None:
    with MjpegServer([], is_mute=True) as server:
        for address in (f"http://me:s3cret@127.0.0.1:{server.port}/x", f"rtsp://me:s3cret@127.0.0.1:{server.port}/x"):
            with pytest.raises(PerceptionError) as caught:
                open_source([address], connect_timeout_s=0.5)
            assert "s3cret" not in str(caught.value) and f"127.0.0.1:{server.port}/x" in str(caught.value)
            assert not isinstance(caught.value, UsageError)


@pytest.mark.parametrize("scheme", ["http", "rtsp", "rtmp"])
def test_nobody_at_the_address(scheme: str) -> None:
    with MjpegServer([]) as server:
        port = server.port
    with pytest.raises(PerceptionError, match=r"does not answer|sends no") as caught:
        open_source([f"{scheme}://u:s3cret@127.0.0.1:{port}/x"], connect_timeout_s=5)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("address", ["gopher://host/x", "http:///x", "rtsp://host:99999/x"])
def test_bad_addresses_are_wrong_use(address: str) -> None:
    with pytest.raises(UsageError, match=r"^source (gopher|http|rtsp):"):
        open_source([address])


def test_a_transport_stream_over_tcp_is_decoded(tmp_path: Path) -> None:
    data = write_video(tmp_path / "stream.ts", [numbered_image(n % 20) for n in range(60)]).read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(data)

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        source = open_source([f"tcp://127.0.0.1:{listener.getsockname()[1]}"], live=PATIENT)
        assert isinstance(source, LiveSource)
        wait_until(lambda: frames_of(source, "127.0.0.1")["sent"] == 60)
        source.close()
        server.join(PATIENCE_S)
    assert source.is_live and source.cameras == ("127.0.0.1",)
    # All came at once, so at least the first counts as buffered; nothing vanishes uncounted.
    assert frames_of(source, "127.0.0.1")["stale"] >= 1
    assert_accounted(source)


def test_a_video_file_over_http_is_a_recording(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [numbered_image(n) for n in range(5)], container_options={"movflags": "faststart"})
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            source = open_source([f"http://127.0.0.1:{server.server_address[1]}/a.mp4"])
            sets = list(source)
            with pytest.raises(PerceptionError, match="404"):
                open_source([f"http://127.0.0.1:{server.server_address[1]}/b.mp4"])
        finally:
            server.shutdown()
            thread.join()
    assert not source.is_live and source.length == 5
    assert [number_of(s.frames[0].image) for s in sets] == list(range(5))
    assert [s.timestamp_ns for s in sets] == [n * 100_000_000 for n in range(5)]


def test_the_backlog_of_a_network_reader_ends_with_the_first_picture_in_real_time() -> None:
    backlog = stream.Backlog(started_s=100.0)
    buffered = [backlog.contains(presented_s=n * 0.04, arrived_s=100.0 + n * 0.001) for n in range(5)]
    assert buffered == [True] * 5
    assert not backlog.contains(presented_s=0.20, arrived_s=100.04)
    assert not backlog.contains(presented_s=0.24, arrived_s=100.041)
    timeless = stream.Backlog(started_s=100.0)
    assert [timeless.contains(presented_s=None, arrived_s=100.0) for _ in range(3)] == [True, False, False]
    late = stream.Backlog(started_s=100.0)
    presented: list[float | None] = [None, 0.0, 0.04]
    assert [late.contains(presented_s=at, arrived_s=100.0) for at in presented] == [True] * 3
    endless = stream.Backlog(started_s=0.0)
    arrivals = np.linspace(0, stream.BACKLOG_LIMIT_S, 20)
    found = [endless.contains(presented_s=100.0 * n, arrived_s=float(a)) for n, a in enumerate(arrivals)]
    assert found == [True] * 19 + [False]


def test_pictures_of_a_stream_without_times_are_numbered_and_state_no_time() -> None:
    units = [unit for picture in encoded_pictures(8) for unit in picture]
    raw = io.BytesIO(b"".join(b"\x00\x00\x00\x01" + unit for unit in units))
    pictures = list(stream.StreamReader(av.open(raw, format="h264"), label="cam").pictures())
    used = [picture for picture in pictures if picture.fault is None]
    assert len(used) == 7
    assert [(picture.presented_s, picture.realtime_s) for picture in used] == [(None, None)] * 7
    assert len({picture.key for picture in used}) == 7


def test_a_missing_webcam_is_one_sentence_and_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="webcam 97: not found"):
        open_source(["97"])
    printed = capfd.readouterr()
    assert printed.err == "" and printed.out == ""


def test_a_webcam_gives_rgb_and_reports_when_it_is_unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    class FakeCapture:
        def __init__(self, index: int) -> None:
            self.left = 3

        def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
            return True

        def get(self, key: int) -> float:
            return 30.0 if key == cv2.CAP_PROP_FPS else 0.0

        def read(self) -> tuple[bool, np.ndarray | None]:
            self.left -= 1
            return (True, numbered_image(4)[..., ::-1]) if self.left >= 0 else (False, None)

        def release(self) -> None:
            pass

    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    source = open_source(["0"], live=PATIENT)
    assert (source.cameras, source.name, source.rate_fps) == (("webcam0",), "webcam0", 30.0)
    frames = iter(source)
    for _ in range(3):
        assert np.array_equal(next(frames).frames[0].image, numbered_image(4))
    wait_until(lambda: any("stopped delivering frames" in warning for warning in source.warnings))
    source.close()


def test_opening_that_ends_too_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    may_open, is_closed = threading.Event(), threading.Event()

    class SlowWebcam:
        def __init__(self, index: int) -> None:
            may_open.wait(PATIENCE_S)

        def close(self) -> None:
            is_closed.set()

    monkeypatch.setattr(openers, "WebcamReader", SlowWebcam)
    with pytest.raises(PerceptionError, match="does not answer within"):
        open_source(["0"], connect_timeout_s=0.1)
    may_open.set()
    assert is_closed.wait(PATIENCE_S)
