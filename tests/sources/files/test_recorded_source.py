from pathlib import Path

import pytest
from support.media import number_of, numbered_image, write_image, write_video

from perception.errors import UsageError
from perception.sources import open_source


def video(path: Path, times_ms: list[int]) -> str:
    path.parent.mkdir(exist_ok=True)
    return str(write_video(path, [numbered_image(n) for n in range(len(times_ms))], times_ms=times_ms, fps=10))


def instants(specs: list[str]) -> list[dict[str, int]]:
    return [{frame.camera: frame.index for frame in frame_set} for frame_set in open_source(specs)]


def test_cameras_are_merged_by_nearest_time(tmp_path: Path) -> None:
    left = video(tmp_path / "left.mp4", [0, 100, 200, 300])
    right = video(tmp_path / "right.mp4", [0, 110, 330])
    assert instants([left, right]) == [
        {"left": 0, "right": 0},
        {"left": 1, "right": 1},
        {"left": 2},
        {"left": 3, "right": 2},
    ]
    source = open_source([left, right])
    sets = list(source)
    assert [s.timestamp_ns // 1_000_000 for s in sets] == [0, 100, 200, 300]
    assert [f.timestamp_ns // 1_000_000 for f in sets[3]] == [300, 330]
    assert source.length == 4 and source.cameras == ("left", "right") and source.name == "left+1"


def test_a_shorter_and_a_slower_camera_are_missing_at_times(tmp_path: Path) -> None:
    for number in range(6):
        write_image(tmp_path / "fast" / f"{number}.png", numbered_image(number))
    slow = video(tmp_path / "slow.mkv", [0, 200])
    found = instants([str(tmp_path / "fast"), slow])
    assert found == [{"fast": 0, "slow": 0}, {"fast": 1}, {"fast": 2, "slow": 1}, {"fast": 3}, {"fast": 4}, {"fast": 5}]
    assert open_source([slow, str(tmp_path / "fast")]).length == 6


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_length_is_what_the_iteration_gives(tmp_path: Path, stride: int) -> None:
    specs = [video(tmp_path / "a.mp4", [0, 100, 190, 320, 400]), video(tmp_path / "b.mkv", [40, 160, 260, 500, 900])]
    source = open_source(specs, stride=stride)
    sets = list(source)
    assert len(sets) == source.length
    assert [s.index for s in sets] == list(range(0, sets[-1].index + 1, stride))
    for frame_set in sets:
        assert all(number_of(frame.image) == frame.index for frame in frame_set)


def test_cameras_of_one_name_are_distinguished(tmp_path: Path) -> None:
    specs = [video(tmp_path / folder / "front.mp4", [0, 100]) for folder in ("a", "b", "c")]
    assert open_source(specs).cameras == ("front", "front-2", "front-3")
    assert instants(specs)[1] == {"front": 1, "front-2": 1, "front-3": 1}


def test_live_and_recorded_are_not_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from perception.sources.live import openers

    closed = []

    class FakeWebcam:
        def __init__(self, index: int) -> None:
            pass

        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr(openers, "WebcamReader", FakeWebcam)
    with pytest.raises(UsageError, match="cannot be mixed"):
        open_source(["0", video(tmp_path / "a.mp4", [0, 100])])
    assert closed == [True]
