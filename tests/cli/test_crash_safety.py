"""What is left of a run whose process is signalled, killed, or loses its disk: real processes, real signals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shlex
import shutil
import signal
import subprocess
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import av
import pytest
from support.commands import RESULT_FILES, boxes_process, names_in, process_environment
from support.media import write_video
from support.mjpeg_server import MjpegServer
from support.moving_boxes import street_image, write_street
from support.processes import heed_hangup, lines_in, on_small_disk, running, wait_until, why_no_small_disk

from perception.results import read_results


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "long.mp4", [street_image(0)] * 3000, fps=30)


@pytest.fixture
def silent_camera() -> Iterator[MjpegServer]:
    with MjpegServer([], hold_open=True) as server:
        yield server


def decoded_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def error_in(err: str) -> str:
    assert "Traceback" not in err, err
    (line,) = [line for line in err.splitlines() if line.startswith("Error: ")]
    return line


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_run_with_whole_files_and_its_exit_code(
    number: signal.Signals, code: int, long_video: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    with running(boxes_process("demo", str(long_video), "--output", "out"), tmp_path) as process:
        wait_until(lambda: lines_in(folder / "forecasts.jsonl") >= 3, process)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "All files are complete" in err
    assert out.splitlines()[-1] == "out"
    assert names_in(folder) == RESULT_FILES
    assert decoded_frames(folder / "scene.mp4") == len(read_results(folder).forecasts)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_the_first_frame_says_so_and_leaves_nothing(
    number: signal.Signals, code: int, silent_camera: MjpegServer, tmp_path: Path
) -> None:
    with running(boxes_process("stream", "--source", silent_camera.url), tmp_path) as process:
        wait_until(lambda: len(silent_camera.authorizations) > 0, process)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "before the first frame; nothing was written" in error_in(err)
    assert names_in(tmp_path) == []


def test_a_closed_terminal_is_an_end_and_no_error(long_video: Path, tmp_path: Path) -> None:
    """The progress line, and all that is said at the end, has nowhere to go then."""
    folder = tmp_path / "out"
    master, slave = pty.openpty()

    def live_on_terminal() -> None:
        heed_hangup()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        boxes_process("demo", str(long_video), "--output", "out"),
        cwd=tmp_path,
        env=process_environment(),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=live_on_terminal,
    )
    os.close(slave)
    os.set_blocking(master, False)

    def has_begun() -> bool:
        with suppress(BlockingIOError):
            os.read(master, 1 << 16)
        return lines_in(folder / "forecasts.jsonl") >= 3

    try:
        wait_until(has_begun)
        os.close(master)
        assert process.wait(60) == 129
    finally:
        process.kill()
    assert names_in(folder) == RESULT_FILES
    assert json.loads((folder / "report.json").read_text())["run"]["ended"] == "the terminal was closed"


def test_a_killed_run_leaves_a_video_that_plays_and_whole_lines(long_video: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with running(boxes_process("demo", str(long_video), "--output", "out", "--save-csv"), tmp_path) as process:
        wait_until(lambda: lines_in(folder / "forecasts.jsonl") >= 8, process)
        process.kill()
        process.wait()
    results = read_results(folder)
    assert results.half_lines == 0 and len(results.forecasts) >= 8
    assert len(results.forecasts) - 4 <= decoded_frames(folder / "scene.mp4") <= len(results.forecasts) + 1
    assert (folder / "tracks.csv").read_bytes().endswith(b"\n")
    assert not (folder / "report.json").exists()


def test_a_folder_that_is_removed_ends_the_run_with_an_error(long_video: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with running(boxes_process("demo", str(long_video), "--output", "out"), tmp_path) as process:
        wait_until(lambda: lines_in(folder / "forecasts.jsonl") >= 3, process)
        folder.rename(tmp_path / "gone")
        shutil.rmtree(tmp_path / "gone")
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "was removed or replaced" in error_in(err)
    assert "All files are complete" not in err
    assert names_in(tmp_path) == []


@pytest.mark.skipif(bool(why_no_small_disk()), reason=why_no_small_disk() or "there is one")
def test_a_full_disk_leaves_a_report_that_names_the_first_error(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    video = write_street(tmp_path / "street.mp4", frames=150)
    command = shlex.join(boxes_process("demo", str(video), "--output", "disk/out"))
    done = subprocess.run(
        on_small_disk(f"{command}; code=$?; cp -r disk/out kept; exit $code", tmp_path / "disk", size="400k"),
        cwd=tmp_path,
        env=process_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "cannot be written (No space left on device)" in error_in(done.stderr)
    assert "All files are complete" not in done.stderr
    folder = tmp_path / "kept"
    run = json.loads((folder / "report.json").read_text())["run"]
    assert run["ended"] == "failed"
    assert run["failure"] in done.stderr
    results = read_results(folder)
    assert results.half_lines == 0 and 0 < len(results.forecasts) < 150
    assert 0 < decoded_frames(folder / "scene.mp4") <= len(results.forecasts) + 1
