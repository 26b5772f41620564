import socket
import threading
import time
from collections.abc import Callable, Generator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.media import number_of, numbered_image, write_video
from support.mjpeg_server import MjpegServer, jpeg_bytes

from perception.errors import PerceptionError, UsageError
from perception.protocols import Source
from perception.sources import open_source
from perception.sources import registry as opening
from perception.sources.live import readers
from perception.sources.live.source import CaptureClock, LiveSource

PATIENCE_S = 60.0
"""No test waits so long, unless something is broken: the machine may be busy."""


class ScriptedReader:
    """A live camera that the test drives: waits for ``send``, ``end`` or ``fail``."""

    rate_fps: float | None = 50.0
    unreadable = 0
    stale = 0

    def __init__(self) -> None:
        self._script: list[Callable[[], np.ndarray | None] | PerceptionError | None] = []
        self._changed = threading.Condition()
        self.taken = 0
        self.is_closed = threading.Event()

    def send(self, *numbers: int | None) -> None:
        for number in numbers:
            self._add(lambda number=number: None if number is None else numbered_image(number))
        with self._changed:
            assert self._changed.wait_for(lambda: self.taken == len(self._script), PATIENCE_S)

    def end(self) -> None:
        self._add(None)

    def fail(self, error: PerceptionError) -> None:
        self._add(error)

    def _add(self, step: Callable[[], np.ndarray | None] | PerceptionError | None) -> None:
        with self._changed:
            self._script.append(step)
            self._changed.notify_all()

    def frames(self) -> Generator[Callable[[], np.ndarray | None], None, None]:
        position = 0
        while True:
            with self._changed:
                self.taken = position
                self._changed.notify_all()
                while position == len(self._script):
                    self._changed.wait()
                step = self._script[position]
            if step is None:
                return
            if isinstance(step, PerceptionError):
                raise step
            yield step
            position += 1

    def close(self) -> None:
        self.is_closed.set()


def test_a_queue_keeps_all_frames_in_order_with_increasing_wall_clock_times() -> None:
    reader = ScriptedReader()
    before_ns = time.time_ns()
    source = LiveSource([("cam", reader)], name="cam")
    assert isinstance(source, Source) and source.is_live and source.length is None
    reader.send(1, 2, 3)
    reader.end()
    sets = list(source)
    assert [number_of(s.frames[0].image) for s in sets] == [1, 2, 3]
    assert [s.index for s in sets] == [0, 1, 2]
    times = [s.timestamp_ns for s in sets]
    assert times == sorted(set(times)) and abs(times[0] - before_ns) < 3_600_000_000_000
    assert source.dropped == 0 and source.warnings == []
    assert reader.is_closed.wait(PATIENCE_S)


def test_newest_only_hands_out_the_last_and_counts_the_rest() -> None:
    reader = ScriptedReader()
    source = LiveSource([("cam", reader)], name="cam", newest_only=True)
    frames = iter(source)
    reader.send(1, 2, 3, 4)
    first = next(frames)
    reader.send(5, 6)
    second = next(frames)
    assert [s.frames[0].index for s in (first, second)] == [3, 5]
    assert [number_of(s.frames[0].image) for s in (first, second)] == [4, 6]
    assert source.dropped == 4
    reader.end()
    assert list(frames) == []


def test_the_queue_is_bounded_and_counts_what_it_loses() -> None:
    reader = ScriptedReader()
    source = LiveSource([("cam", reader)], name="cam")
    reader.send(*[n % 25 for n in range(40)])
    reader.end()
    sets = list(source)
    assert [s.frames[0].index for s in sets] == list(range(40 - len(sets), 40))
    assert len(sets) < 40 and source.dropped == 40 - len(sets)


def test_stride_leaves_out_without_counting_as_dropped() -> None:
    reader = ScriptedReader()
    source = LiveSource([("cam", reader)], name="cam", stride=3)
    reader.send(*range(7))
    reader.end()
    assert [s.frames[0].index for s in source] == [0, 3, 6]
    assert source.dropped == 0 and source.rate_fps == pytest.approx(50 / 3)


def test_several_cameras_deliver_the_newest_of_each_and_one_may_end() -> None:
    left, right = ScriptedReader(), ScriptedReader()
    source = LiveSource([("left", left), ("right", right)], name="both")
    frames = iter(source)
    left.send(1, 2)
    right.send(3)
    assert {f.camera: number_of(f.image) for f in next(frames)} == {"left": 2, "right": 3}
    left.end()
    right.send(4)
    assert {f.camera: number_of(f.image) for f in next(frames)} == {"right": 4}
    right.end()
    assert list(frames) == []
    assert source.dropped == 1


def test_damaged_pictures_are_counted_and_left_out() -> None:
    reader = ScriptedReader()
    source = LiveSource([("cam", reader)], name="cam")
    reader.send(1, None, None, 2)
    reader.end()
    assert [number_of(s.frames[0].image) for s in source] == [1, 2]
    assert source.dropped == 2
    assert source.warnings == ["cam: 2 damaged frames left out."]


def test_a_camera_that_breaks_off_gives_its_frames_first() -> None:
    reader = ScriptedReader()
    source = LiveSource([("cam", reader)], name="cam")
    reader.send(1)
    reader.fail(PerceptionError("cam: broke off."))
    frames = iter(source)
    assert number_of(next(frames).frames[0].image) == 1
    with pytest.raises(PerceptionError, match="broke off"):
        next(frames)


def test_one_silent_camera_among_living_ones_is_an_error() -> None:
    living, silent = ScriptedReader(), ScriptedReader()
    source = LiveSource([("living", living), ("silent", silent)], name="both", read_timeout_s=0.2)
    # From here on the silent one is the one that sent nothing for longer, however slowly the other is fed.
    living.send(1)
    stop = threading.Event()

    def feed() -> None:
        while not stop.wait(0.02):
            living.send(1)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        with pytest.raises(PerceptionError, match="silent: has sent nothing"):
            for _ in source:
                pass
    finally:
        stop.set()
        feeder.join()
        living.end()
        silent.end()


def test_close_ends_a_waiting_iteration() -> None:
    reader = ScriptedReader()
    source = LiveSource([("cam", reader)], name="cam")
    found: list[list[object]] = []
    consumer = threading.Thread(target=lambda: found.append(list(source)))
    consumer.start()
    reader.end()
    source.close()
    source.close()
    consumer.join(PATIENCE_S)
    assert found == [[]]


def test_the_capture_clock_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = CaptureClock()
    first = clock.now_ns()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    monkeypatch.setattr(time, "monotonic_ns", lambda: 0)
    assert [clock.now_ns() - first for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("with_length", [True, False])
def test_mjpeg_over_http(with_length: bool) -> None:
    with MjpegServer([numbered_image(n) for n in range(8)], fps=50, with_length=with_length) as server:
        source = open_source([server.url])
        sets = list(source)
    assert source.is_live and source.cameras == ("127.0.0.1",)
    assert [number_of(s.frames[0].image) for s in sets] == list(range(8))
    left = sets[4].frames[0].image[32, 20].astype(int)
    assert np.abs(left - [40, 200, 40]).max() < 12
    assert source.dropped == 0


@pytest.mark.parametrize("with_length", [True, False])
def test_mjpeg_of_a_camera_that_sends_no_end_marker(with_length: bool) -> None:
    pictures = [jpeg_bytes(numbered_image(n)).removesuffix(b"\xff\xd9") for n in range(4)]
    with MjpegServer([*pictures, pictures[0][:-9]], fps=50, with_length=with_length) as server:
        source = open_source([server.url])
        assert [number_of(s.frames[0].image) for s in source] == list(range(4))
    assert source.dropped == 1


def test_mjpeg_newest_only_accounts_for_every_frame() -> None:
    with MjpegServer([numbered_image(n) for n in range(20)], fps=0) as server:
        source = open_source([server.url], newest_only=True)
        sets = list(source)
        source.close()
    assert number_of(sets[-1].frames[0].image) == 19
    assert len(sets) + source.dropped == 20


def test_mjpeg_with_a_password() -> None:
    with MjpegServer([numbered_image(1)], credentials="me:s3cret") as server:
        address = server.url.replace("://", "://me:s3cret@")
        assert len(list(open_source([address]))) == 1
        with pytest.raises(PerceptionError, match="401") as caught:
            open_source([server.url.replace("://", "://me:wr0ng@") + "?pwd=wr0ng"])
    assert "wr0ng" not in str(caught.value) and server.url in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_password_follows_where_its_host_redirects_to() -> None:
    with MjpegServer([numbered_image(1)], credentials="me:s3cret", redirect="/live/1?fps=5") as server:
        address = f"http://me:s3cret@127.0.0.1:{server.port}/start/here"
        assert len(list(open_source([address]))) == 1


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
        assert len(list(open_source([address]))) == 1


def test_mjpeg_that_breaks_inside_a_picture() -> None:
    with MjpegServer([numbered_image(n) for n in range(4)], cut_last=True) as server:
        received = []
        with pytest.raises(PerceptionError, match="broke off"):
            for frame_set in open_source([server.url]):
                received.append(frame_set)
    assert len(received) == 3


def test_mjpeg_that_falls_silent_is_an_error() -> None:
    with MjpegServer([numbered_image(1)], hold_open=True) as server:
        # Time enough for a busy machine to open it, as the same time bounds the silence.
        frames = iter(open_source([server.url], connect_timeout_s=3))
        assert number_of(next(frames).frames[0].image) == 1
        with pytest.raises(PerceptionError, match=r"nothing for 3 s|no data came"):
            next(frames)


def test_mjpeg_with_a_damaged_picture() -> None:
    with MjpegServer([numbered_image(1), b"\xff\xd8garbage", numbered_image(2)]) as server:
        source = open_source([server.url])
        assert [number_of(s.frames[0].image) for s in source] == [1, 2]
    assert source.dropped == 1 and len(source.warnings) == 1


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
        source = open_source([f"tcp://127.0.0.1:{listener.getsockname()[1]}"])
        sets = list(source)
        source.close()
        server.join(PATIENCE_S)
    assert source.is_live and source.cameras == ("127.0.0.1",)
    # All came at once, so at least the first counts as buffered; nothing vanishes uncounted.
    assert len(sets) + source.dropped == 60
    assert source.dropped >= 1


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
    backlog = readers.Backlog(started_s=100.0)
    buffered = [backlog.contains(presented_s=n * 0.04, arrived_s=100.0 + n * 0.001) for n in range(5)]
    assert buffered == [True] * 5
    assert not backlog.contains(presented_s=0.20, arrived_s=100.04)
    assert not backlog.contains(presented_s=0.24, arrived_s=100.041)
    endless = readers.Backlog(started_s=0.0)
    arrivals = np.linspace(0, readers.BACKLOG_LIMIT_S, 20)
    found = [endless.contains(presented_s=100.0 * n, arrived_s=float(a)) for n, a in enumerate(arrivals)]
    assert found == [True] * 19 + [False]


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
    source = open_source(["0"])
    assert (source.cameras, source.name, source.rate_fps) == (("webcam0",), "webcam0", 30.0)
    frames = iter(source)
    for _ in range(3):
        assert np.array_equal(next(frames).frames[0].image, numbered_image(4))
    with pytest.raises(PerceptionError, match="stopped delivering frames"):
        next(frames)


def test_opening_that_ends_too_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    may_open, is_closed = threading.Event(), threading.Event()

    class SlowWebcam:
        def __init__(self, index: int) -> None:
            may_open.wait(PATIENCE_S)

        def close(self) -> None:
            is_closed.set()

    monkeypatch.setattr(opening, "WebcamReader", SlowWebcam)
    with pytest.raises(PerceptionError, match="does not answer within"):
        open_source(["0"], connect_timeout_s=0.1)
    may_open.set()
    assert is_closed.wait(PATIENCE_S)
