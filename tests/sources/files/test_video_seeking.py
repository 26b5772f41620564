"""A video that begins in its middle gives the very frames that decoding all of it would give."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.media import numbered_image, write_image

from perception.sources import open_source
from perception.sources.files.decoding.decoder import SeekError, VideoDecoder
from perception.sources.files.video import VideoFile
from perception.sources.time_span import TimeSpan
from perception.types import FrameSet

COUNT = 60
Decoded = Callable[[], int]


def moving(number: int) -> np.ndarray:
    """A picture of its own for each number, so that a wrong reference shows."""
    image = np.random.default_rng(3).integers(0, 255, (64, 96, 3), np.uint8)
    return np.roll(image, (2 * number, 3 * number), axis=(0, 1))


def written(path: Path, codec: str, options: dict[str, str]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.options = options
        stream.codec_context.gop_size = 10
        stream.codec_context.time_base = Fraction(1, 10)
        for number in range(COUNT):
            frame = av.VideoFrame.from_ndarray(moving(number), format="rgb24").reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


CASES = {
    "mp4": ("clip.mp4", "libx264", {"bf": "2"}),
    "open groups of pictures": ("clip.mkv", "libx264", {"bf": "3", "x264-params": "open-gop=1:scenecut=0"}),
    "hevc": ("clip.mp4", "libx265", {"x265-params": "log-level=none:open-gop=1:bframes=3:scenecut=0"}),
    "mov": ("clip.mov", "libx264", {"bf": "2"}),
    "ts": ("clip.ts", "libx264", {"bf": "2"}),
    "vp9": ("clip.webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
    "mjpeg": ("clip.mkv", "mjpeg", {}),
    "flv": ("clip.flv", "libx264", {"bf": "0"}),
    "vp8, whose packets may hold no picture": ("clip.webm", "libvpx", {"deadline": "realtime", "auto-alt-ref": "1"}),
    "avi, without times of presentation": ("clip.avi", "libx264", {"bf": "0"}),
    "a raw stream, without times": ("clip.h264", "libx264", {"bf": "0"}),
}
DECODED_WHOLE = ("vp8", "avi", "a raw")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Decoded:
    """How many packets were decoded."""
    count = 0
    decode = VideoDecoder._decoded

    def counting(self: VideoDecoder, packet: object) -> object:
        nonlocal count
        count += 1
        return decode(self, packet)  # type: ignore[arg-type]

    monkeypatch.setattr(VideoDecoder, "_decoded", counting)
    return lambda: count


def instants(specs: list[str], span: TimeSpan, stride: int = 1) -> list[FrameSet]:
    rate_fps = 10 if specs[0].endswith(".h264") else None
    return list(open_source(specs, span=span, stride=stride, rate_fps=rate_fps))


def need_same(found: list[FrameSet], expected: list[FrameSet]) -> None:
    assert [(one.index, one.timestamp_ns) for one in found] == [(one.index, one.timestamp_ns) for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert [(frame.camera, frame.index, frame.timestamp_ns) for frame in one] == [
            (frame.camera, frame.index, frame.timestamp_ns) for frame in other
        ]
        assert [frame.image.tobytes() for frame in one] == [frame.image.tobytes() for frame in other]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("span", [TimeSpan(4.4, 5.2), TimeSpan(1.0, 1.3), TimeSpan(5.85)])
def test_the_frames_from_a_start_are_those_of_decoding_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, span: TimeSpan, decoded: Decoded
) -> None:
    name, codec, options = CASES[case]
    video = str(written(tmp_path / name, codec, options))
    found = instants([video], span)
    packets = decoded()
    monkeypatch.setattr(VideoFile, "can_seek", False)
    expected = instants([video], span)
    assert len(expected) >= 1
    need_same(found, expected)
    if span.start_s > 4 and not case.startswith(DECODED_WHOLE):
        assert packets <= 30


def test_cameras_begin_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = str(written(tmp_path / "left.mp4", *CASES["mp4"][1:]))
    for number in range(20):
        write_image(tmp_path / "right" / f"{number}.png", numbered_image(number))
    found = instants([left, str(tmp_path / "right")], TimeSpan(1.2, 4.0), stride=3)
    monkeypatch.setattr(VideoFile, "can_seek", False)
    expected = instants([left, str(tmp_path / "right")], TimeSpan(1.2, 4.0), stride=3)
    assert {len(one) for one in expected} == {1, 2}
    need_same(found, expected)


def test_a_container_that_leads_elsewhere_is_decoded_from_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = str(written(tmp_path / "clip.mp4", *CASES["mp4"][1:]))
    expected = instants([video], TimeSpan(4.4))

    def refuse(self: VideoDecoder, number: int, index: object) -> None:
        raise SeekError

    monkeypatch.setattr(VideoDecoder, "seek", refuse)
    need_same(instants([video], TimeSpan(4.4)), expected)


def test_a_given_rate_and_damage_do_not_change_the_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = written(tmp_path / "clip.mp4", *CASES["mp4"][1:])
    found = list(open_source([str(video)], rate_fps=20, span=TimeSpan(2.0)))
    data = bytearray(video.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 300] = bytes(300)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    found_damaged = instants([str(damaged)], TimeSpan(4.0))
    monkeypatch.setattr(VideoFile, "can_seek", False)
    need_same(found, list(open_source([str(video)], rate_fps=20, span=TimeSpan(2.0))))
    assert found[0].index == 40
    need_same(found_damaged, instants([str(damaged)], TimeSpan(4.0)))
