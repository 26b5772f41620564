"""Videos with damage in them are read on past it, and whole ones are not called damaged."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from support.media import number_of, numbered_image, write_video

from perception.errors import UsageError
from perception.sources import open_source


def noise(count: int) -> list[np.ndarray]:
    """Images that do not compress, so that damage inside the file hits the picture data."""
    generator = np.random.default_rng(0)
    return [generator.integers(0, 255, (64, 96, 3), np.uint8) for _ in range(count)]


def encoded(
    path: Path, images: list[np.ndarray], tenths: list[int] | None = None, *, codec: str = "libx264", b_frames: int = 2
) -> Path:
    """Encode with B frames; ``tenths`` are the times in tenths of a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.options = {"crf": "10", "g": "10", "bf": str(b_frames)}
        stream.codec_context.time_base = Fraction(1, 10)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index if tenths is None else tenths[index], Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def zeroed_packet(path: Path, number: int) -> Path:
    """Overwrite the ``number``-th packet's content with zeros."""
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][number]
        content = bytes(packet)
    data = path.read_bytes()
    assert data.count(content) == 1
    path.write_bytes(data.replace(content, content[:4] + bytes(len(content) - 4)))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".flv", ".avi"])
def test_one_damaged_packet_costs_one_frame_and_the_rest_keep_number_and_time(tmp_path: Path, suffix: str) -> None:
    images = [numbered_image(n) for n in range(24)]
    path = zeroed_packet(encoded(tmp_path / f"bad{suffix}", images, b_frames=0), 15)
    source = open_source([str(path)])
    sets = list(source)
    assert len(sets) in (23, 24) and source.length == 24
    kept = [n for n in range(24) if n < 15 or n >= 20]
    shown = {s.frames[0].index: s for s in sets}
    assert [number_of(shown[n].frames[0].image) for n in kept] == kept
    assert [shown[n].timestamp_ns // 1_000_000 for n in kept] == [100 * n for n in kept]
    assert source.warnings == [f"{path}: damaged packets: 1; frames there are missing or wrong."]


@pytest.mark.parametrize("clock", ["fps: 5", "timestamps: times.csv"])
def test_a_clock_of_its_own_stays_right_behind_damage(tmp_path: Path, clock: str) -> None:
    zeroed_packet(encoded(tmp_path / "a.mp4", [numbered_image(n) for n in range(24)]), 15)
    times_ns = [200_000_000 * n for n in range(24)]
    (tmp_path / "times.csv").write_text("timestamp_ns\n" + "\n".join(map(str, times_ns)))
    key, _, value = clock.partition(": ")
    content = {"cameras": {"a": {"video": "a.mp4", key: yaml.safe_load(value)}}}
    (tmp_path / "recording.yaml").write_text(yaml.safe_dump(content))
    sets = list(open_source([str(tmp_path)]))
    assert [s.timestamp_ns for s in sets] == [times_ns[s.frames[0].index] for s in sets]
    assert [number_of(s.frames[0].image) for s in sets][-4:] == [20, 21, 22, 23]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_damage_all_over_a_video_ends_no_reading(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"bad{suffix}", noise(60))
    data = bytearray(path.read_bytes())
    generator = np.random.default_rng(1)
    for place in generator.integers(len(data) // 10, len(data) * 9 // 10, 100):
        data[place] = generator.integers(0, 256)
    path.write_bytes(data)
    source = open_source([str(path)])
    sets = list(source)
    assert len(sets) >= 50
    assert (np.diff([s.timestamp_ns for s in sets]) > 0).all()
    assert any("damaged packets: " in text for text in source.warnings)


def test_a_hole_in_a_file_is_passed_over(tmp_path: Path) -> None:
    path = write_video(tmp_path / "hole.mkv", noise(60))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3] + bytes(4000) + data[len(data) // 2 :])
    source = open_source([str(path)])
    times_ms = [s.timestamp_ns // 1_000_000 for s in source]
    assert len(times_ms) > 30 and times_ms[-1] == 5900


def test_pictures_before_the_first_key_frame_are_left_out(tmp_path: Path) -> None:
    path = write_video(tmp_path / "late.ts", [numbered_image(n) for n in range(24)])
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    path.write_bytes(path.read_bytes()[places[4] :])
    source = open_source([str(path)])
    numbers = [number_of(s.frames[0].image) for s in source]
    assert numbers[-14:] == list(range(10, 24))


@pytest.mark.parametrize("suffix", [".mkv", ".flv", ".avi", ".mp4", ".mov", ".ts", ".webm"])
@pytest.mark.parametrize(
    "tenths",
    [list(range(20)), list(range(70, 90)), [*range(19), 60], [n + n // 3 for n in range(20)]],
    ids=["regular", "starts late", "long last frame", "gaps"],
)
def test_a_whole_video_is_not_called_damaged(tmp_path: Path, suffix: str, tenths: list[int]) -> None:
    codec = {".webm": "libvpx"}.get(suffix, "libx264")
    path = encoded(tmp_path / f"whole{suffix}", [numbered_image(n) for n in range(20)], tenths, codec=codec)
    source = open_source([str(path)])
    assert [number_of(s.frames[0].image) for s in source] == list(range(20))
    assert source.warnings == []


@pytest.mark.parametrize("suffix", [".mkv", ".flv", ".avi"])
def test_a_cut_off_video_is_called_so_by_its_duration(tmp_path: Path, suffix: str) -> None:
    path = encoded(tmp_path / f"cut{suffix}", noise(40))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = open_source([str(path)])
    assert 5 < len(list(source)) < 35
    assert any("damaged or cut off" in text for text in source.warnings)


def test_an_unknown_codec_is_one_sentence(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", noise(3))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(UsageError, match="is of a codec that is not known here"):
        open_source([str(path)])


def test_a_title_in_another_encoding_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Strasse"
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered_image(1), format="rgb24")))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b"Strasse", b"Stra\xdfe."))
    assert len(list(open_source([str(path)]))) == 1
