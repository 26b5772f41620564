"""``perception demo`` from the command line to the files."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import av
import pytest
import yaml
from support.commands import RESULT_FILES, Command, boxes_process, names_in, process_environment
from support.media import write_video
from support.moving_boxes import street_image, write_street

from perception.errors import PerceptionError
from perception.results import read_results
from perception.sources.images import read_rgb

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
        "decode", "detect", "ego_motion", "track", "forecast", "draw", "encode", "write"
    }  # fmt: skip
    online_error = report["run"]["online_error"]  # type: ignore[index]
    assert online_error["unit"] == "px"
    assert online_error["horizons"][0]["horizon_s"] == 1.0 and online_error["horizons"][0]["count"] > 10
    assert online_error["horizons"][0]["constant_velocity"] < 5.0, "the boxes move evenly"
    assert "24 frames" in ran.out
    assert "2 objects" in ran.out
    assert "constant velocity" in ran.out
    assert "Detector: boxes of support.moving_boxes:open_box_detector" in ran.err


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
    assert [note.partition(":")[0] for note in content["chosen"]] == ["Detector", "Tracker", "Ego-motion", "Forecaster"]
    assert all("as asked" in note for note in content["chosen"] if not note.startswith(("Tracker", "Ego-motion")))
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


def test_a_source_that_breaks_off_leaves_what_was_done(
    boxes_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.png").write_bytes(_png(number))

    def break_off(path: Path) -> object:
        if path.name == "4.png":
            raise PerceptionError(f"{path}: the disk is gone.")
        return read_rgb(path)

    monkeypatch.setattr("perception.sources.files.images.read_rgb", break_off)
    ran = boxes_command("demo", "--source", folder)
    assert ran.code == 1
    assert "4.png: the disk is gone" in ran.sentence
    assert names_in(ran.folder) == RESULT_FILES
    assert len(read_results(ran.folder).forecasts) == 4
    assert decoded_frames(ran.folder / "scene.mp4") == 4
    assert report_in(ran.folder)["run"]["ended"] == "failed"  # type: ignore[index]


def test_a_damaged_image_is_passed_over_counted_and_reported(boxes_command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(7):
        (folder / f"{number}.png").write_bytes(_png(number))
    (folder / "4.png").write_bytes(b"no image")
    ran = boxes_command("demo", folder)
    assert ran.code == 0
    warning = "1 damaged image of 7 left out"
    assert warning in ran.err
    run = report_in(ran.folder)["run"]
    assert run["ended"] == "complete" and run["instants"] == 6  # type: ignore[index]
    assert any(warning in one for one in run["warnings"])  # type: ignore[index]
    assert [record.index for record in read_results(ran.folder).forecasts] == [0, 1, 2, 3, 5, 6]


def test_the_table_of_times_names_all_stages_and_has_no_zeros(
    boxes_command: Command, street: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ran = boxes_command("demo", street, "--detect-interval", "30", "--save-txt", "--save-crop", "--save-csv")
    rows = {line.split()[0]: line.split()[1:] for line in ran.out.splitlines() if line[:1].isalpha()}
    for stage in ("decode", "detect", "track", "forecast", "draw", "encode", "write", "writers", "total"):
        assert len(rows[stage]) == 4, ran.out
    assert rows["detect"][3] == "2" and rows["track"][3] == "19"
    latency = report_in(ran.folder)["latency"]
    assert latency["per_stage"]["detect"]["p50_ms"] > 0  # type: ignore[index]


def test_what_the_source_left_out_is_reported(boxes_command: Command, tmp_path: Path, street: Path) -> None:
    (tmp_path / "frames_a.png").write_bytes(_png(0))
    (tmp_path / "frames_b.txt").write_text("x")
    ran = boxes_command("demo", "--source", str(tmp_path / "frames_*"))
    assert ran.code == 0
    assert "Note: " in ran.err
    assert "1 matching file left out, as no image" in ran.err
    assert report_in(ran.folder)["run"]["warnings"]  # type: ignore[index]


def test_an_interrupted_process_leaves_whole_files(tmp_path: Path) -> None:
    video = write_video(tmp_path / "long.mp4", [street_image(0)] * 3000, fps=30)
    process = subprocess.Popen(
        boxes_process("demo", "--source", str(video)),
        cwd=tmp_path,
        env=process_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = tmp_path / "runs" / "demo" / "long" / "forecasts.jsonl"
    try:
        while process.poll() is None and not (lines.is_file() and lines.read_bytes().count(b"\n") >= 3):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, err
    folder = tmp_path / out.splitlines()[-1]
    assert names_in(folder) == RESULT_FILES
    results = read_results(folder)
    assert results.half_lines == 0
    assert 3 <= len(results.forecasts) < 3000
    assert decoded_frames(folder / "scene.mp4") == len(results.forecasts)
    assert len(results.stage_ms["detect"]) == len(results.forecasts)
    assert "Ended early: " in err


@pytest.mark.shared
@pytest.mark.parametrize("forecaster", ["auto", "constant-velocity"])
def test_the_bundled_weights_on_a_real_recording(
    command: Command, shared_dir: Path, bundled_weights: Path, forecaster: str
) -> None:
    recording = shared_dir / "real" / "motorway" / "val_morning"
    ran = command("demo", "--source", recording, "--max-frames", "12", "--device", "cpu", "--forecaster", forecaster)
    assert ran.code == 0, ran.err
    assert names_in(ran.folder) == sorted([*RESULT_FILES, "report.html"])
    content = yaml.safe_load((ran.folder / "run.yaml").read_text())
    assert len(content["weights_sha256"]) == (2 if forecaster == "auto" else 1)
    assert report_in(ran.folder)["detection"][0]["overall"]["ap50"] > 0.5  # type: ignore[index]


def _png(number: int) -> bytes:
    import cv2

    return cv2.imencode(".png", cv2.cvtColor(street_image(number), cv2.COLOR_RGB2BGR))[1].tobytes()
