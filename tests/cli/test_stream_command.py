"""``perception stream`` against a camera on loopback."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
import yaml
from support.commands import RESULT_FILES, Command, boxes_process, names_in, process_environment
from support.media import write_video
from support.mjpeg_server import MjpegServer
from support.moving_boxes import street_image

from perception.errors import counted
from perception.results import read_results

TESTS = Path(__file__).parents[1]


@pytest.fixture
def camera() -> Iterator[MjpegServer]:
    """Forty frames, then silence."""
    with MjpegServer([street_image(number) for number in range(40)], fps=40, hold_open=True) as server:
        yield server


def decoded_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_camera_is_recorded_until_the_time_is_up(boxes_command: Command, camera: MjpegServer) -> None:
    ran = boxes_command("stream", "--source", camera.url, "--duration", "2")
    assert ran.code == 0, ran.err
    assert ran.folder == Path("runs/stream/127.0.0.1")
    assert names_in(ran.folder) == RESULT_FILES
    assert "Ended early: the time was up. All files are complete." in ran.err
    results = read_results(ran.folder)
    assert decoded_frames(ran.folder / "scene.mp4") == len(results.forecasts) > 0
    assert {1, 2} <= set(results.tracks.ids.tolist())


def camera_report(folder: Path, name: str) -> dict[str, Any]:
    """What the report says of one camera; its frames are accounted for."""
    report = json.loads((folder / "report.json").read_text())
    camera: dict[str, Any] = report["run"]["live"]["cameras"][name]
    frames = camera["frames"]
    assert frames["sent"] == sum(frames.values()) - frames["sent"] and frames["waiting"] == 0
    return camera


def test_frames_that_were_not_looked_at_are_counted(boxes_command: Command) -> None:
    # A server that does not pause is always too fast.
    with MjpegServer([street_image(number) for number in range(40)] * 10, fps=0, hold_open=True) as server:
        ran = boxes_command("stream", "--source", f"front={server.url}", "--duration", "3", "--max-age", "30")
    assert ran.code == 0, ran.err
    report = json.loads((ran.folder / "report.json").read_text())
    assert report["run"]["ended"] == "the time was up"
    frames = camera_report(ran.folder, "front")["frames"]
    assert frames["sent"] == 400 and frames["used"] == report["run"]["instants"]
    assert frames["overrun"] > 0
    assert report["run"]["live"]["glass_to_result_ms"]["p95"] > 0
    assert f"{counted(report['run']['dropped_frames'], 'frame')} dropped" in ran.err


def test_max_frames_ends_a_camera(boxes_command: Command, camera: MjpegServer) -> None:
    ran = boxes_command("stream", "--source", camera.url, "--max-frames", "3")
    assert ran.code == 0
    assert len(read_results(ran.folder).forecasts) == 3


def test_a_camera_that_breaks_off_is_a_warning_and_the_run_goes_on(boxes_command: Command) -> None:
    # It breaks off again and again.
    with MjpegServer([street_image(number) for number in range(6)], fps=10, cut_last=True) as server:
        ran = boxes_command("stream", "--source", f"front={server.url}", "--duration", "4")
    assert ran.code == 0
    assert "front: lost at " in ran.err and "broke off" in ran.err
    assert "front: live again at " in ran.err
    assert names_in(ran.folder) == RESULT_FILES
    camera = camera_report(ran.folder, "front")
    assert camera["losses"] >= 1 and camera["away_s"] > 0 and camera["frames"]["damaged"] >= 1
    assert decoded_frames(ran.folder / "scene.mp4") == len(read_results(ran.folder).forecasts) > 0


def test_cameras_that_are_required_end_the_run_with_a_code_of_its_own(boxes_command: Command) -> None:
    with MjpegServer([street_image(number) for number in range(200)], fps=20) as there, MjpegServer([]) as gone:
        named = ["--source", f"front={there.url}", "--source", f"rear={gone.url}"]
        ran = boxes_command("stream", *named, "--require", "all", "--lost-after", "3", "--max-age", "30")
    assert ran.code == 3
    assert "rear: lost for 3 s, and all of the cameras are required" in ran.sentence
    assert camera_report(ran.folder, "rear")["frames"]["used"] == 0
    assert camera_report(ran.folder, "front")["frames"]["used"] > 0


def test_the_file_of_cameras_is_followed(tmp_path: Path) -> None:
    frames = [street_image(number) for number in range(40)] * 100
    cameras = tmp_path / "cameras.yaml"
    with MjpegServer(frames, fps=20) as front, MjpegServer(frames, fps=20) as rear:
        cameras.write_text(f"front: {front.url}\n")
        process = subprocess.Popen(
            boxes_process("stream", "--sources-file", str(cameras), "--output", "out", "--max-age", "30"),
            cwd=tmp_path,
            env=process_environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        said = ""

        def read_until(text: str) -> str:
            lines = ""
            while text not in lines:
                assert process.poll() is None, lines
                lines += process.stderr.readline() if process.stderr is not None else ""
            return lines

        try:
            while not (tmp_path / "out" / "forecasts.jsonl").is_file():
                assert process.poll() is None
                time.sleep(0.05)
            cameras.write_text(f"front: {front.url}\nrear: {rear.url}\n")
            said += read_until("rear: added")
            while not (tmp_path / "out" / "tracks_rear.txt").is_file():
                assert process.poll() is None
                time.sleep(0.05)
            cameras.write_text("front: [\n")
            said += read_until("The cameras stay as they are.")
            cameras.write_text(f"rear: {rear.url}\n")
            said += read_until("front: taken away")
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)
        finally:
            process.kill()
    states = {name: camera_report(tmp_path / "out", name)["state"] for name in ("front", "rear")}
    assert states == {"front": "removed", "rear": "live"}
    assert read_results(tmp_path / "out").cameras == ("front", "rear")


def test_the_password_is_written_nowhere(boxes_command: Command) -> None:
    frames = [street_image(number) for number in range(6)]
    with MjpegServer(frames, fps=20, credentials="me:secret") as server:
        address = server.url.replace("://", "://me:secret@")
        ran = boxes_command("stream", "--source", address, "--max-frames", "4")
    assert ran.code == 0, ran.err
    content = yaml.safe_load((ran.folder / "run.yaml").read_text())
    assert content["config"]["source"] == [server.url]
    written = b"".join(path.read_bytes() for path in ran.folder.iterdir())
    assert b"secret" not in written
    assert "secret" not in ran.out + ran.err


def test_a_recording_is_no_camera(boxes_command: Command, tmp_path: Path) -> None:
    video = write_video(tmp_path / "drive.mp4", [street_image(0)] * 3)
    ran = boxes_command("stream", "--source", video)
    assert ran.code == 2
    assert "is a recording, no camera; run it with perception demo" in ran.sentence


def test_the_system_ends_a_stream_that_waits_for_its_camera(tmp_path: Path, camera: MjpegServer) -> None:
    process = subprocess.Popen(
        boxes_process("stream", "--source", camera.url),
        cwd=tmp_path,
        env=process_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = tmp_path / "runs" / "stream" / "127.0.0.1" / "forecasts.jsonl"
    try:
        while process.poll() is None and not (lines.is_file() and lines.read_bytes().count(b"\n") >= 3):
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 143, err
    folder = tmp_path / out.splitlines()[-1]
    assert names_in(folder) == RESULT_FILES
    assert decoded_frames(folder / "scene.mp4") == len(read_results(folder).forecasts) >= 3
    assert "All files are complete." in err


def test_a_camera_without_a_picture_is_an_error_and_leaves_no_folder(boxes_command: Command) -> None:
    with MjpegServer([]) as server:
        ran = boxes_command("stream", "--source", server.url, "--duration", "2")
    assert ran.code == 1
    assert "127.0.0.1: gave no picture" in ran.sentence
    assert not Path("runs").exists()


def test_ctrl_c_before_the_first_picture_has_the_shells_exit_code(tmp_path: Path) -> None:
    with MjpegServer([], hold_open=True) as server:
        process = subprocess.Popen(
            boxes_process("stream", "--source", server.url),
            cwd=tmp_path,
            env=process_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            while "Forecaster" not in process.stderr.readline():
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "runs").exists()


def test_the_bundled_weights_on_a_camera(command: Command, bundled_weights: Path) -> None:
    # The camera goes on for as long as a busy machine may need to load the weights.
    with MjpegServer([street_image(number) for number in range(40)] * 300, fps=40) as server:
        ran = command("stream", "--source", server.url, "--max-frames", "3", "--device", "cpu", "--imgsz", "160")
    assert ran.code == 0, ran.err
    assert names_in(ran.folder) == RESULT_FILES
