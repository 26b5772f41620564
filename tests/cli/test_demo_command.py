"""``perception demo`` from the command line to the files."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from support.commands import BOXES_SCRIPT, RESULT_FILES, Command, names_in
from support.media import write_video
from support.moving_boxes import street_image, write_street

import perception.runtime.runner
import perception.runtime.sessions
from perception.results import read_results
from perception.types import Scene

TESTS = Path(__file__).parents[1]


def decoded_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def report_in(folder: Path) -> dict[str, object]:
    report: dict[str, object] = json.loads((folder / "report.json").read_text())
    return report


def test_a_video_becomes_pictures_tables_and_a_report(boxes_command: Command, street: Path) -> None:
    ran = boxes_command("demo", "--source", street)
    assert ran.code == 0
    assert ran.folder == Path("runs/demo/street")
    assert names_in(ran.folder) == RESULT_FILES
    assert decoded_frames(ran.folder / "scene.mp4") == 24
    results = read_results(ran.folder)
    assert set(results.tracks.ids.tolist()) == {1, 2}
    assert len(results.forecasts) == 24
    report = report_in(ran.folder)
    assert report["run"]["instants"] == 24  # type: ignore[index]
    assert report["run"]["ended"] == "complete"  # type: ignore[index]
    assert report["detection"] == []
    assert set(report["latency"]["per_stage"]) == {  # type: ignore[index]
        "decode", "detect", "track", "forecast", "draw", "encode", "write"
    }  # fmt: skip
    online_error = report["run"]["online_error"]  # type: ignore[index]
    assert online_error["unit"] == "px"
    assert online_error["horizons"][0]["horizon_s"] == 1.0 and online_error["horizons"][0]["count"] > 10
    assert online_error["horizons"][0]["constant_velocity"] < 5.0, "the boxes move evenly"
    assert "24 frames" in ran.out
    assert "2 objects" in ran.out
    assert "constant velocity" in ran.out
    assert "Detector: red boxes." in ran.err


def test_progress_is_plain_lines_in_a_pipe(boxes_command: Command, street: Path) -> None:
    ran = boxes_command("demo", "--source", street)
    assert re.search(r"^24/24 frames, .* fps, 0:00 left, decode \d+ detect \d+ .* ms$", ran.err, re.MULTILINE)
    assert "\x1b" not in ran.err + ran.out


def test_the_report_measures_where_there_is_ground_truth(boxes_command: Command, street_recording: Path) -> None:
    ran = boxes_command("demo", "--source", street_recording)
    report = report_in(ran.folder)
    vehicles = report["detection"][0]["overall"]  # type: ignore[index]
    assert vehicles["ap50"] == pytest.approx(1.0)
    assert report["tracking"][0]["overall"]["idf1"] > 0.95  # type: ignore[index]
    assert "Finds 100% of the vehicles" in ran.out


def test_run_yaml_holds_what_repeats_the_run(boxes_command: Command, street: Path) -> None:
    ran = boxes_command("demo", "--source", street, "--conf", "0.3", "--max-frames", "3", "--classes", "car,bus")
    content = yaml.safe_load((ran.folder / "run.yaml").read_text())
    assert content["command"] == "demo"
    assert content["config"]["conf"] == 0.3
    assert content["config"]["classes"] == ["car", "bus"]
    assert content["config"]["iou"] == 0.5
    assert content["chosen"] == ["Detector: red boxes.", "Forecaster: straight on."]
    assert {"python", "perception", "torch", "numpy"} <= set(content["versions"])
    path = ran.folder / "again.yaml"
    path.write_text(yaml.safe_dump(content["config"]))
    again = boxes_command("demo", "--config", path)
    assert again.code == 0
    assert read_results(again.folder).tracks.boxes_xyxy_px.tolist() == (
        read_results(ran.folder).tracks.boxes_xyxy_px.tolist()
    )


def test_results_are_never_overwritten(boxes_command: Command, street: Path) -> None:
    folders = [boxes_command("demo", "--source", street, "--max-frames", "2").folder for _ in range(3)]
    assert [str(folder) for folder in folders] == [f"runs/demo/street{suffix}" for suffix in ("", "-2", "-3")]
    chosen = [boxes_command("demo", "--source", street, "--max-frames", "2", "--output", "mine") for _ in range(2)]
    assert [str(ran.folder) for ran in chosen] == ["mine", "mine-2"]


def test_max_frames_and_stride(boxes_command: Command, street: Path) -> None:
    ran = boxes_command("demo", "--source", street, "--stride", "3", "--max-frames", "4")
    assert [record.index for record in read_results(ran.folder).forecasts] == [0, 3, 6, 9]
    assert "4/4 frames" in ran.err


def test_no_save_leaves_nothing(boxes_command: Command, street: Path) -> None:
    ran = boxes_command("demo", "--source", street, "--no-save")
    assert ran.code == 0
    assert not Path("runs").exists()
    assert "24 frames" in ran.out


def test_several_cameras_are_one_run(boxes_command: Command, tmp_path: Path) -> None:
    paths = [write_street(tmp_path / f"{name}.mp4", frames=6) for name in ("left", "right")]
    ran = boxes_command("demo", "--source", paths[0], "--source", paths[1])
    assert ran.code == 0
    assert {"tracks_left.txt", "tracks_right.txt"} <= set(names_in(ran.folder))
    results = read_results(ran.folder)
    assert sorted(set(results.tracks.cameras.tolist())) == ["left", "right"]


def test_without_a_screen_show_is_a_sentence_and_the_run_goes_on(
    boxes_command: Command, street: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    ran = boxes_command("demo", "--source", street, "--show")
    assert ran.code == 0
    assert "--show: no window, because" in ran.err
    assert decoded_frames(ran.folder / "scene.mp4") == 24


def test_closing_the_window_ends_the_run_with_all_files_whole(
    boxes_command: Command, street: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OneLook:
        shown = 0
        closed = False

        def show(self, picture: np.ndarray) -> bool:
            self.shown += 1
            return self.shown < 5

        def close(self) -> None:
            self.closed = True

    window = OneLook()
    monkeypatch.setattr(perception.runtime.runner, "open_window", lambda console: window)
    ran = boxes_command("demo", "--source", street, "--show")
    assert ran.code == 0
    assert window.closed
    assert "Ended early: the window was closed. All files are whole." in ran.err
    assert decoded_frames(ran.folder / "scene.mp4") == len(read_results(ran.folder).forecasts) == 5


def test_a_source_that_breaks_off_leaves_what_was_done(boxes_command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.png").write_bytes(_png(number))
    (folder / "4.png").write_bytes(b"no image")
    ran = boxes_command("demo", "--source", folder)
    assert ran.code == 2
    assert "4.png: not a readable image" in ran.sentence
    assert names_in(ran.folder) == RESULT_FILES
    assert len(read_results(ran.folder).forecasts) == 4
    assert decoded_frames(ran.folder / "scene.mp4") == 4
    assert report_in(ran.folder)["run"]["ended"] == "failed"  # type: ignore[index]


def test_what_the_source_left_out_is_said(boxes_command: Command, tmp_path: Path, street: Path) -> None:
    (tmp_path / "frames_a.png").write_bytes(_png(0))
    (tmp_path / "frames_b.txt").write_text("x")
    ran = boxes_command("demo", "--source", str(tmp_path / "frames_*"))
    assert ran.code == 0
    assert "Note: " in ran.err
    assert "1 matching files are no images" in ran.err
    assert report_in(ran.folder)["run"]["warnings"]  # type: ignore[index]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_process_leaves_whole_files(tmp_path: Path, number: signal.Signals) -> None:
    video = write_video(tmp_path / "long.mp4", [street_image(0)] * 3000, fps=30)
    process = subprocess.Popen(
        [sys.executable, "-c", BOXES_SCRIPT, "demo", "--source", str(video)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = tmp_path / "runs" / "demo" / "long" / "forecasts.jsonl"
    try:
        while process.poll() is None and not (lines.is_file() and lines.read_bytes().count(b"\n") >= 3):
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, err
    folder = tmp_path / out.splitlines()[-1]
    assert names_in(folder) == RESULT_FILES
    results = read_results(folder)
    assert results.half_lines == 0
    assert 3 <= len(results.forecasts) < 3000
    assert decoded_frames(folder / "scene.mp4") == len(results.forecasts)
    assert len(results.stage_ms["detect"]) == len(results.forecasts)
    assert "Ended early: " in err


def test_the_pipelines_scenes_are_the_ones_written(
    boxes_command: Command, street: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Scene] = []
    write = perception.runtime.runner.SceneRecorder.write

    def watched(self, scene, **options):  # type: ignore[no-untyped-def]
        seen.append(scene)
        return write(self, scene, **options)

    monkeypatch.setattr(perception.runtime.runner.SceneRecorder, "write", watched)
    ran = boxes_command("demo", "--source", street)
    table = read_results(ran.folder).tracks
    for scene in seen:
        rows = table[table.frame_indices == scene.frame_set.index]
        now = scene.tracks[scene.tracks.unseen_s == 0]
        np.testing.assert_allclose(rows.boxes_xyxy_px, now.boxes_xyxy_px, atol=0.01)


@pytest.mark.shared
@pytest.mark.parametrize("forecaster", ["auto", "constant-velocity"])
def test_the_bundled_weights_on_a_real_recording(
    command: Command, shared_dir: Path, bundled_weights: Path, forecaster: str
) -> None:
    recording = shared_dir / "real" / "motorway" / "val_morning"
    ran = command("demo", "--source", recording, "--max-frames", "12", "--device", "cpu", "--forecaster", forecaster)
    assert ran.code == 0, ran.err
    assert names_in(ran.folder) == RESULT_FILES
    content = yaml.safe_load((ran.folder / "run.yaml").read_text())
    assert len(content["weights_sha256"]) == (2 if forecaster == "auto" else 1)
    assert report_in(ran.folder)["detection"][0]["overall"]["ap50"] > 0.5  # type: ignore[index]


def _png(number: int) -> bytes:
    import cv2

    return cv2.imencode(".png", cv2.cvtColor(street_image(number), cv2.COLOR_RGB2BGR))[1].tobytes()


@pytest.mark.parametrize("is_rig", [False, True])
def test_side_by_side_writes_what_one_after_the_other_does(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_rig: bool
) -> None:
    """One camera with boxes that are easy, and the bundled drive with the bundled weights."""
    command: Command = request.getfixturevalue("command" if is_rig else "boxes_command")
    if is_rig:
        request.getfixturevalue("bundled_weights")
    source, frames = ([], 6) if is_rig else (["--source", request.getfixturevalue("street")], 15)
    # All others tell times, the picture too.
    kinds = ("tracks*", "detections*", "forecasts.jsonl")

    def run_and_read(name: str) -> dict[str, bytes]:
        ran = command("demo", *source, "--max-frames", frames, "--device", "cpu", "--output", tmp_path / name)
        assert ran.code == 0, ran.err
        assert decoded_frames(ran.folder / "scene.mp4") == frames
        return {path.name: path.read_bytes() for kind in kinds for path in ran.folder.glob(kind)}

    side_by_side = run_and_read("side-by-side")
    monkeypatch.setattr(
        perception.runtime.sessions,
        "execute",
        lambda *given, **options: perception.runtime.runner.execute(*given, **{**options, "side_by_side": False}),
    )
    assert side_by_side == run_and_read("in-turn")
    assert len(side_by_side) == (14 if is_rig else 3) and all(side_by_side.values())
