"""What cameras gave is kept as it came, and played again as the same instants."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from support.media import numbered_image, write_video
from support.mjpeg_server import MjpegServer, jpeg_bytes

from perception.errors import PerceptionError, UsageError
from perception.sources import open_source
from perception.sources.stream_recording.keep import Keep
from perception.sources.stream_recording.recorder import RecordRequest, StreamRecorder
from perception.sources.stream_recording.replay import StreamRecording
from perception.types import Frame, FrameSet


@contextmanager
def transport_stream(content: bytes) -> Iterator[str]:
    """The address of a camera that sends packets of H.264, slowly."""
    closing = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, suppress(ConnectionError):
                for start in range(0, len(content), 2048):
                    connection.sendall(content[start : start + 2048])
                    if closing.wait(0.05):
                        return
                closing.wait()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            closing.set()


@pytest.fixture
def pictures() -> list[bytes]:
    return [jpeg_bytes(numbered_image(number)) for number in range(12)]


def same_instants(one: list[FrameSet], other: list[FrameSet]) -> bool:
    assert [(part.index, part.timestamp_ns) for part in one] == [(part.index, part.timestamp_ns) for part in other]
    for first, second in zip(one, other, strict=True):
        for frame, again in zip(first, second, strict=True):
            assert (frame.camera, frame.index, frame.timestamp_ns) == (again.camera, again.index, again.timestamp_ns)
            np.testing.assert_array_equal(frame.image, again.image)
    return True


def recorded(folder: Path, *urls: str, most: int) -> list[FrameSet]:
    source = open_source(list(urls), newest_only=True, record=RecordRequest(folder))
    found = []
    for instant in source:
        found.append(instant)
        if len(found) == most:
            break
    source.close()
    return found


def test_pictures_are_kept_byte_for_byte_and_played_as_they_were(pictures: list[bytes], tmp_path: Path) -> None:
    with MjpegServer(pictures, fps=40) as front, MjpegServer(pictures, fps=25) as rear:
        live = recorded(tmp_path / "kept", front.url, rear.url, most=8)
    assert same_instants(live, list(open_source([str(tmp_path / "kept")])))
    stored = sorted((tmp_path / "kept").rglob("*.mjpeg"))
    assert len(stored) == 2
    assert b"".join(pictures).startswith(stored[0].read_bytes())


def test_packets_are_kept_without_another_encoding(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.ts", [numbered_image(number % 20) for number in range(60)])
    with transport_stream(video.read_bytes()) as address:
        live = recorded(tmp_path / "kept", address, most=3)
    assert len(live) > 1
    replayed = open_source([str(tmp_path / "kept")])
    assert (replayed.is_live, replayed.length) == (False, len(live))
    assert same_instants(live, list(replayed))
    (stored,) = (tmp_path / "kept").rglob("*.h264")
    assert stored.read_bytes()[:4] in (b"\0\0\0\1", b"\0\0\1\x09", b"\0\0\1\x67"), "any player takes it"


def frame_set(index: int, *cameras: str) -> FrameSet:
    frames = tuple(Frame(numbered_image(index % 20), camera, index * 10**8, index) for camera in cameras)
    return FrameSet(frames, index * 10**8, index)


def record_steps(recorder: StreamRecorder, count: int, *, first: int = 0) -> None:
    """One camera, a picture and an instant at each step."""
    tap = recorder.tap("front")
    connection = tap.begin("mjpeg", b"")
    for index in range(first, first + count):
        tap.packet(jpeg_bytes(numbered_image(index % 20)), index, is_key=True)
        recorder.instant(frame_set(index, "front"), {"front": (connection, index)})


@pytest.mark.parametrize(
    ("keep", "least", "most"), [(Keep(seconds=25.0), 25, 46), (Keep(bytes=40_000), 10, 60), (Keep(), 100, 100)]
)
def test_only_so_much_is_kept(keep: Keep, least: int, most: int, tmp_path: Path) -> None:
    clock = iter(float(second) for second in range(10_000))
    recorder = StreamRecorder(
        tmp_path / "kept", cameras=["front"], name="front", keep=keep, clock_s=lambda: next(clock) / 2
    )
    with recorder:
        record_steps(recorder, 100)
    source = open_source([str(tmp_path / "kept")])
    found = [instant.index for instant in source]
    assert found == list(range(100 - len(found), 100))
    assert least <= len(found) <= most
    if keep.bytes is not None:
        size = sum(path.stat().st_size for path in (tmp_path / "kept" / "segments").rglob("*") if path.is_file())
        assert size < keep.bytes + 30_000, "the segment of now counts on top"


def test_instants_whose_pictures_are_gone_are_left_out_and_counted(tmp_path: Path) -> None:
    clock = iter(range(10_000))
    recorder = StreamRecorder(tmp_path / "kept", cameras=["front"], name="x", clock_s=lambda: float(next(clock)))
    with recorder:
        record_steps(recorder, 20)
    first = tmp_path / "kept" / "segments" / "000001"
    for path in first.glob("01-front*"):
        path.unlink()
    source = open_source([str(tmp_path / "kept")])
    found = [instant.index for instant in source]
    assert 0 < len(found) < 20 and found[-1] == 19
    assert f"{20 - len(found)} instants left out" in source.warnings[0]


def test_what_a_killed_process_was_writing_is_left_out(tmp_path: Path) -> None:
    with StreamRecorder(tmp_path / "kept", cameras=["front"], name="x") as recorder:
        record_steps(recorder, 5)
    (log,) = (tmp_path / "kept").rglob("instants.jsonl")
    log.write_bytes(log.read_bytes() + b'{"index":5,"times')
    (camera_log,) = (tmp_path / "kept").rglob("01-front.jsonl")
    (stored,) = (tmp_path / "kept").rglob("01-front.mjpeg")
    os.truncate(stored, stored.stat().st_size - 3)
    camera_log.write_bytes(camera_log.read_bytes() + b'{"pack')
    assert [instant.index for instant in open_source([str(tmp_path / "kept")])] == [0, 1, 2, 3]


def test_a_disk_that_is_full_is_told_at_the_next_instant(
    tmp_path: Path, file_size_limit: Callable[[int], AbstractContextManager[None]]
) -> None:
    with (
        StreamRecorder(tmp_path / "kept", cameras=["front"], name="x") as recorder,
        file_size_limit(20_000),
        pytest.raises(PerceptionError, match="cannot be written"),
    ):
        record_steps(recorder, 50)
    assert len(list(open_source([str(tmp_path / "kept")]))) > 1


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="holds something already"):
        StreamRecorder(tmp_path, cameras=["front"], name="x")


def test_absences_and_arrival_times_stand_in_the_log(tmp_path: Path) -> None:
    with StreamRecorder(tmp_path / "kept", cameras=["front"], name="x") as recorder:
        record_steps(recorder, 2)
        recorder.tap("front").absent(17, "rtsp://me:secret@host: the stream broke off.")
        record_steps(recorder, 2, first=2)
    (log,) = (tmp_path / "kept").rglob("01-front.jsonl")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["connection"] for line in lines if "codec" in line] == [0, 1]
    assert {"absent_since_ns": 17, "cause": "rtsp://host: the stream broke off."} in lines
    assert all(line["arrival_ns"] > 10**18 for line in lines if "packet" in line)
    assert len(list(StreamRecording.read(tmp_path / "kept").instants())) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10GB", Keep(bytes=10**10)),
        ("500 MB", Keep(bytes=5 * 10**8)),
        ("2h", Keep(seconds=7200)),
        ("0.5d", Keep(seconds=43200)),
    ],
)
def test_limits_are_sizes_or_times(text: str, expected: Keep) -> None:
    assert Keep.parse(text) == expected


@pytest.mark.parametrize("text", ["", "10", "GB", "-2h", "0h", "2 weeks"])
def test_other_limits_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 500MB"):
        Keep.parse(text)
