"""``stream --record`` and ``perception replay``: the same tables, also of a run that was killed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from support.commands import Command, boxes_process, names_in
from support.mjpeg_server import MjpegServer
from support.moving_boxes import street_image
from support.processes import lines_in, running, wait_until

TABLES = ("forecasts.jsonl", "labels.txt")


def tables(folder: Path) -> dict[str, bytes]:
    """What a run found; times of the machine are not of it."""
    names = [name for name in names_in(folder) if name.startswith(("tracks", "detections")) or name in TABLES]
    assert len(names) > len(TABLES)
    return {name: (folder / name).read_bytes() for name in names}


def test_a_replay_gives_the_live_tables_byte_for_byte(boxes_command: Command) -> None:
    frames = [street_image(number) for number in range(24)]
    with MjpegServer(frames, fps=20, hold_open=True) as front, MjpegServer(frames, fps=15, hold_open=True) as rear:
        sources = ("--source", front.url, "--source", rear.url)
        live = boxes_command("stream", *sources, "--record", "kept", "--max-frames", "12", "--conf", "0.3")
    assert live.code == 0, live.err
    replayed = boxes_command("replay", "kept")
    assert replayed.code == 0, replayed.err
    assert replayed.folder == Path("runs/replay") / live.folder.name
    assert tables(replayed.folder) == tables(live.folder)
    assert yaml.safe_load((replayed.folder / "run.yaml").read_text())["config"]["conf"] == 0.3, "as it was recorded"
    assert tables(boxes_command("demo", "kept", "--conf", "0.3").folder) == tables(live.folder)
    other = boxes_command("replay", "kept", "--max-frames", "3")
    assert lines_in(other.folder / "forecasts.jsonl") == 3, "what is given wins"


def test_after_kill_9_the_replay_has_all_that_the_live_run_had(boxes_command: Command, tmp_path: Path) -> None:
    frames = [street_image(number) for number in range(24)] * 20
    with MjpegServer(frames, fps=20) as camera:
        arguments = boxes_process("stream", "--source", camera.url, "--record", "kept", "--output", "live")
        with running(arguments, tmp_path) as process:
            wait_until(lambda: lines_in(tmp_path / "live" / "forecasts.jsonl") >= 10, process)
            process.kill()
            process.wait()
    ran = boxes_command("replay", tmp_path / "kept", "--output", "again")
    assert ran.code == 0, ran.err
    live, again = tables(tmp_path / "live"), tables(ran.folder)
    assert again["forecasts.jsonl"].startswith(live["forecasts.jsonl"])
    assert again["tracks.txt"].startswith(live["tracks.txt"])
    assert lines_in(ran.folder / "forecasts.jsonl") - lines_in(tmp_path / "live" / "forecasts.jsonl") <= 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("replay", "empty"), ["empty/stream.yaml", "cannot be read"]),
        (("stream", "--source", "0", "--keep", "2h"), ["--keep", "--record"]),
        (("stream", "--source", "0", "--record", "new", "--keep", "much"), ["--keep much", "10GB"]),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: tuple[str, ...], words: list[str], boxes_command: Command
) -> None:
    Path("empty").mkdir()
    ran = boxes_command(*arguments)
    assert ran.code == 2
    assert all(word in ran.sentence for word in words), ran.sentence
    assert not Path("new").exists()


def test_a_folder_that_holds_something_is_not_written_into(boxes_command: Command) -> None:
    Path("mine").mkdir()
    Path("mine/file").touch()
    with MjpegServer([street_image(0)] * 3, fps=20) as camera:
        ran = boxes_command("stream", "--source", camera.url, "--record", "mine")
    assert (ran.code, "--record mine: holds something already" in ran.sentence) == (2, True)
    assert names_in(Path("mine")) == ["file"]
