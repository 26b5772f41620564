"""``perception demo VIDEO ...``: what stands for a source, and where its results go."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import yaml
from support.commands import Command
from support.moving_boxes import write_street

from perception.results import read_results


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("one", "two"):
        write_street(folder / f"{name}.mp4", frames=3)
    return folder


def folders(out: str) -> list[str]:
    return [line for line in out.splitlines() if Path(line).is_dir()]


def test_a_source_needs_no_option(boxes_command: Command, street: Path) -> None:
    ran = boxes_command("demo", "street.mp4", "--max-frames", "3")
    assert (ran.code, ran.folder) == (0, Path("runs/demo/street"))


def test_several_videos_are_runs_of_their_own(boxes_command: Command, clips: Path) -> None:
    ran = boxes_command("demo", clips / "two.mp4", clips / "one.mp4")
    assert folders(ran.out) == ["runs/demo/two", "runs/demo/one"]
    assert len(read_results(Path("runs/demo/one")).forecasts) == 3
    config = yaml.safe_load(Path("runs/demo/one/run.yaml").read_text())["config"]
    assert config["source"] == [str(clips / "one.mp4")]


@pytest.mark.parametrize("source", ["clips", "clips/*.mp4", "clips/list.txt"])
def test_folders_globs_and_lists_are_runs_of_their_own(boxes_command: Command, clips: Path, source: str) -> None:
    (clips / "list.txt").write_text("one.mp4\ntwo.mp4\n")
    ran = boxes_command("demo", source, "--output", "mine")
    assert folders(ran.out) == ["mine/one", "mine/two"]


def test_an_argument_wins_over_the_file_and_excludes_the_option(boxes_command: Command, clips: Path) -> None:
    Path("options.yaml").write_text("source: nowhere.mp4\n")
    assert boxes_command("demo", clips / "one.mp4", "--config", "options.yaml").code == 0
    ran = boxes_command("demo", clips / "one.mp4", "--source", clips / "two.mp4")
    assert (ran.code, "--source is given too" in ran.sentence) == (2, True)


def test_a_video_that_fails_does_not_keep_the_others_back(boxes_command: Command, clips: Path) -> None:
    (clips / "bad.mp4").write_bytes(b"no video")
    ran = boxes_command("demo", clips, "--quiet")
    assert ran.code == 1
    assert folders(ran.out) == ["runs/demo/one", "runs/demo/two"]
    assert "1 of 3 sources failed. " in ran.sentence and "bad.mp4: not a readable video" in ran.sentence


def test_videos_of_the_same_name_do_not_replace_one_another(boxes_command: Command, clips: Path) -> None:
    write_street(Path("one.mp4"), frames=2)
    for _ in range(2):
        ran = boxes_command("demo", "one.mp4", clips / "one.mp4", "--exist-ok")
        assert folders(ran.out) == ["runs/demo/one", "runs/demo/one-2"]
    assert [len(read_results(Path("runs/demo") / name).forecasts) for name in ("one", "one-2")] == [2, 3]


@pytest.mark.parametrize("source", ["clips", "clips/*.mp4", "clips/list.txt"])
def test_one_source_option_is_as_good_as_an_argument(boxes_command: Command, clips: Path, source: str) -> None:
    (clips / "list.txt").write_text("one.mp4\ntwo.mp4\n")
    ran = boxes_command("demo", "--source", source)
    assert folders(ran.out) == ["runs/demo/one", "runs/demo/two"]


def test_a_folder_of_videos_is_no_camera(boxes_command: Command, clips: Path) -> None:
    ran = boxes_command("demo", "--source", clips, "--source", clips / "one.mp4")
    assert ran.code == 2
    assert "2 videos" in ran.sentence and f"perception demo {clips}" in ran.sentence


def test_a_video_comes_through_a_pipe(boxes_command: Command, street: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(street.read_bytes())))
    ran = boxes_command("demo", "-")
    assert (ran.code, ran.folder) == (0, Path("runs/demo/stdin"))
    assert len(read_results(ran.folder).forecasts) == 24


def test_a_pipe_with_nothing_in_it_is_refused(boxes_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    ran = boxes_command("demo", "-")
    assert (ran.code, "standard input is empty" in ran.sentence) == (2, True)


def test_project_and_name_say_where_and_exist_ok_replaces(boxes_command: Command, street: Path) -> None:
    options = ("demo", street, "--project", "all", "--name", "first")
    assert boxes_command(*options).folder == Path("all/first")
    ran = boxes_command(*options)
    assert ran.folder == Path("all/first-2")
    assert "all/first is there already; this run is in all/first-2" in ran.err
    Path("all/first/notes.md").write_text("mine")
    ran = boxes_command(*options, "--exist-ok", "--max-frames", "2")
    assert ran.folder == Path("all/first") and "there already" not in ran.err
    assert len(read_results(ran.folder).forecasts) == 2
    assert Path("all/first/notes.md").read_text() == "mine"


def test_exist_ok_deletes_nothing_where_no_run_is(boxes_command: Command, street: Path) -> None:
    Path("mine").mkdir()
    Path("mine/tracks.txt").write_text("somebody's")
    ran = boxes_command("demo", street, "--output", "mine", "--exist-ok")
    assert ran.code == 2 and "mine/tracks.txt: is of no run" in ran.sentence
    assert [path.read_text() for path in Path("mine").iterdir()] == ["somebody's"]


def test_output_is_the_whole_folder(boxes_command: Command, street: Path) -> None:
    ran = boxes_command("demo", street, "--output", "a", "--name", "b")
    assert (ran.code, "--output is the whole folder" in ran.sentence) == (2, True)
