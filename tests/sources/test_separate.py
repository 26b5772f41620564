"""What a person names becomes one recording after the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.media import numbered_image, write_image
from support.moving_boxes import write_street, write_street_recording

from perception.errors import UsageError
from perception.sources import separate_sources


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Three videos, of which the tenth comes after the second, and what is none."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("clip10.mp4", "clip2.MP4", "clip1.mp4", ".hidden.mp4", "notes.md"):
        (folder / name).write_bytes(b"x")
    return folder


def names(specs: list[str]) -> list[str]:
    return [Path(spec).name for spec in specs]


def test_a_folder_stands_for_its_videos_in_natural_order(clips: Path) -> None:
    assert names(separate_sources([str(clips)])) == ["clip1.mp4", "clip2.MP4", "clip10.mp4"]


def test_images_beside_videos_are_one_series(clips: Path) -> None:
    write_image(clips / "1.png", numbered_image(1))
    write_image(clips / "2.png", numbered_image(2))
    found = separate_sources([str(clips)])
    assert found[-1] == str(clips)
    assert len(found) == 4


def test_a_recording_and_a_folder_of_images_stand_for_themselves(tmp_path: Path) -> None:
    recording = write_street_recording(tmp_path / "recording", frames=2)
    images = write_image(tmp_path / "images" / "1.png", numbered_image(1)).parent
    assert separate_sources([str(recording), str(images)]) == [str(recording), str(images)]


def test_a_glob_stands_for_each_video_and_folder_that_it_matches(clips: Path, tmp_path: Path) -> None:
    recording = write_street_recording(tmp_path / "drive", frames=2)
    assert names(separate_sources([str(clips / "clip1*")])) == ["clip1.mp4", "clip10.mp4"]
    assert separate_sources([str(tmp_path / "d*")]) == [str(recording)]
    assert names(separate_sources([str(tmp_path / "c*")])) == ["clip1.mp4", "clip2.MP4", "clip10.mp4"]


def test_a_glob_of_images_is_one_series(tmp_path: Path) -> None:
    for number in (1, 2):
        write_image(tmp_path / f"{number}.png", numbered_image(number))
    pattern = str(tmp_path / "*.png")
    assert separate_sources([pattern]) == [pattern]


def test_a_list_has_one_in_each_line_beside_it_or_in_the_working_folder(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    write_street(here / "mine.mp4", frames=2)
    listed = clips / "list.txt"
    listed.write_text("# two\n\nclip1.mp4\n mine.mp4 \nrtsp://camera.local/1\n0\n")
    assert separate_sources([str(listed)]) == [str(clips / "clip1.mp4"), "mine.mp4", "rtsp://camera.local/1", "0"]


def test_what_is_named_twice_runs_once(clips: Path) -> None:
    assert names(separate_sources([str(clips / "clip1.mp4"), str(clips)])) == ["clip1.mp4", "clip2.MP4", "clip10.mp4"]


def test_webcams_addresses_pipes_and_plug_ins_stand_for_themselves() -> None:
    specs = ["0", "-", "http://camera.local/video.mp4", "module:factory", "nowhere"]
    assert separate_sources(specs) == specs


@pytest.mark.parametrize("content", [b"", b"# nothing\n\n", b"\xff\xfe\x00"])
def test_a_list_without_a_line_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(UsageError, match=r"list\.txt: .*one video or folder in each line"):
        separate_sources([str(tmp_path / "list.txt")])


def test_a_video_that_is_not_there_is_refused_before_the_first_run(clips: Path) -> None:
    with pytest.raises(UsageError, match=r"clip3\.mp4: no such file"):
        separate_sources([str(clips), str(clips / "clip3.mp4")])
