from pathlib import Path

import numpy as np
import pytest
from support.media import number_of, numbered_image, write_video

from perception.errors import UsageError
from perception.protocols import Source
from perception.sources import open_source


def noise(count: int) -> list[np.ndarray]:
    """Images that do not compress, so that damage inside the file hits the picture data."""
    generator = np.random.default_rng(0)
    return [generator.integers(0, 255, (64, 96, 3), np.uint8) for _ in range(count)]


def test_frames_carry_rgb_pixels_index_and_time(tmp_path: Path) -> None:
    path = write_video(tmp_path / "drive.mp4", [numbered_image(n) for n in range(12)], fps=10)
    source = open_source([str(path)])
    assert isinstance(source, Source)
    sets = list(source)
    assert (source.cameras, source.name, source.is_live, source.length) == (("drive",), "drive", False, 12)
    assert source.rate_fps == pytest.approx(10)
    assert [number_of(s.frames[0].image) for s in sets] == list(range(12))
    assert [s.timestamp_ns for s in sets] == [n * 100_000_000 for n in range(12)]
    assert [s.frames[0].index for s in sets] == list(range(12))
    left, right = sets[5].frames[0].image[32, 20], sets[5].frames[0].image[32, 76]
    assert np.abs(left.astype(int) - [50, 200, 40]).max() < 12
    assert np.abs(right.astype(int) - [50, 0, 40]).max() < 12
    assert source.warnings == [] and source.dropped == 0


def test_a_second_iteration_starts_again(tmp_path: Path) -> None:
    source = open_source([str(write_video(tmp_path / "a.mp4", noise(4)))])
    first, second = list(source), list(source)
    assert len(first) == len(second) == 4
    assert np.array_equal(first[2].frames[0].image, second[2].frames[0].image)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_frame_rate_keeps_the_true_times(tmp_path: Path, suffix: str) -> None:
    times_ms = [0, 40, 80, 500, 540, 1700]
    path = write_video(tmp_path / f"vfr{suffix}", [numbered_image(n) for n in range(6)], times_ms=times_ms)
    source = open_source([str(path)])
    assert [s.timestamp_ns // 1_000_000 for s in source] == times_ms
    assert source.length == 6


def test_rate_fps_replaces_the_clock(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", noise(3), fps=10)
    source = open_source([str(path)], rate_fps=2)
    assert [s.timestamp_ns for s in source] == [0, 500_000_000, 1_000_000_000]
    assert source.rate_fps == 2


def test_stride_converts_only_what_it_hands_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mp4", [numbered_image(n) for n in range(10)])
    converted = []
    from perception.sources.files import video

    original = video.rgb_of
    monkeypatch.setattr(video, "rgb_of", lambda frame: converted.append(1) or original(frame))
    source = open_source([str(path)], stride=3)
    sets = list(source)
    assert [s.index for s in sets] == [s.frames[0].index for s in sets] == [0, 3, 6, 9]
    assert [number_of(s.frames[0].image) for s in sets] == [0, 3, 6, 9]
    assert source.length == len(sets) == len(converted) == 4
    assert source.rate_fps == pytest.approx(10 / 3)


def test_close_ends_the_iteration_and_may_be_repeated(tmp_path: Path) -> None:
    source = open_source([str(write_video(tmp_path / "a.mp4", noise(8)))])
    frames = iter(source)
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []


def test_a_file_cut_in_the_middle_gives_its_readable_part_and_a_warning(tmp_path: Path) -> None:
    path = write_video(tmp_path / "cut.mp4", noise(40), container_options={"movflags": "faststart"})
    data = path.read_bytes()
    whole = [s.frames[0].image for s in open_source([str(path)])]
    path.write_bytes(data[: len(data) * 6 // 10])
    source = open_source([str(path)])
    sets = list(source)
    assert 10 < len(sets) < 30
    assert all(np.array_equal(s.frames[0].image, image) for s, image in zip(sets, whole, strict=False))
    assert len(source.warnings) == 1
    assert str(path) in source.warnings[0] and f"{len(sets)} of 40" in source.warnings[0]


def test_a_cut_matroska_file_is_noticed_by_its_duration(tmp_path: Path) -> None:
    path = write_video(tmp_path / "cut.mkv", noise(40))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    source = open_source([str(path)])
    assert 5 < len(list(source)) < 35
    assert len(source.warnings) == 1


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("empty.mp4", b"", "empty"),
        ("text.mp4", b"not a video at all\n" * 20, "not a readable video"),
        ("text.txt", b"plain text is rendered by FFmpeg's tty demuxer\n" * 20, "no video"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, name: str, content: bytes, fault: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError, match=fault) as caught:
        open_source([str(path)])
    assert str(path) in str(caught.value)


def test_a_video_without_its_index_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "cut.mp4", noise(10))
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])
    with pytest.raises(UsageError, match="not a readable video"):
        open_source([str(path)])


def test_a_missing_file_and_a_bad_stride_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.mp4: no such file"):
        open_source([str(tmp_path / "nowhere.mp4")])
    path = write_video(tmp_path / "a.mp4", noise(2))
    with pytest.raises(UsageError, match=r"^stride 0: "):
        open_source([str(path)], stride=0)
    with pytest.raises(UsageError, match="fps"):
        open_source([str(path)], rate_fps=float("nan"))
    with pytest.raises(UsageError, match=r"^source: is missing"):
        open_source([])


@pytest.mark.shared
@pytest.mark.parametrize(
    ("clip", "count", "size_px"),
    # The first clip holds 91 packets, but its edit list hides three.
    [("udacity_clean_small1.mp4", 88, (1280, 720)), ("udacity_solidWhiteRight.mp4", 221, (960, 540))],
)
def test_real_dash_cam_clips(shared_dir: Path, clip: str, count: int, size_px: tuple[int, int]) -> None:
    source = open_source([str(shared_dir / "real" / "clips" / clip)], stride=10)
    sets = list(source)
    assert len(sets) == source.length == -(-count // 10)
    assert {s.frames[0].size_px for s in sets} == {size_px}
    assert [s.timestamp_ns for s in sets] == [n * 400_000_000 for n in range(len(sets))]
    assert source.warnings == []


def test_a_clock_that_was_set_back_is_reported_and_nothing_is_lost(tmp_path: Path) -> None:
    parts = [write_video(tmp_path / f"{n}.ts", [numbered_image(n + m) for m in range(6)]) for n in (0, 6)]
    (tmp_path / "both.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    source = open_source([str(tmp_path / "both.ts")])
    sets = list(source)
    assert [number_of(s.frames[0].image) for s in sets] == list(range(12))
    assert (np.diff([s.timestamp_ns for s in sets]) > 0).all()
    (said,) = source.warnings
    assert "both.ts: its time stamps run backwards 1 time" in said
    regular = open_source([str(tmp_path / "both.ts")], rate_fps=5)
    assert len(list(regular)) == 12 and regular.warnings == []
