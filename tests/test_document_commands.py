"""The commands and the Python of README and docs/ do what they say, on small data that stands in for the reader's."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.documents import ROOT, Block, blocks, shell_lines
from support.media import write_video
from support.mjpeg_server import MjpegServer
from support.moving_boxes import street_image, write_street, write_street_recording
from support.simulators import needs_simulators

from perception.benchmarks import BENCHMARKS
from perception.cli import run
from perception.forecasting import GruConfig, TrajectoryGRU, save_gru

README = ROOT / "README.md"
LINES = list(dict.fromkeys((line, block) for block in blocks("sh") for line in shell_lines(block)))
COMMANDS = [(line, block) for line, block in LINES if line.startswith("perception ")]
RUN = list(
    dict.fromkeys(
        line for line, block in COMMANDS if "$DATA" not in line and (block.path == README or block.mark == "run")
    )
)
MEASURING = list(
    dict.fromkeys(line for line, _ in COMMANDS if "$DATA" in line and line.split()[1] in ("demo", "evaluate", "export"))
)
RUN_PYTHON = [block for block in blocks("python") if block.mark == "python"]
MODULES = {block.mark.removeprefix("module "): block.text for block in blocks("python") if "module " in block.mark}

NOT_HERE = {
    "perception stream --source 0 --show": (2, "webcam"),
    "perception stream --source rtsp://user:password@camera.local/stream": (1, "rtsp"),
    "perception weights fetch fasterrcnn_resnet50_fpn_v2": (1, "--weights"),
    "perception demo --source drive.mp4 --detector fasterrcnn_resnet50_fpn_v2": (2, "perception weights fetch"),
    "perception demo --source drive.mp4 --detector yolox_s.onnx": (2, "yolox_s.onnx"),
}
"""Commands that need a camera, a network or a file that a test has not: exit code, and what the sentence names."""

SHORTER = {
    "simulate": ["--duration", "0.2", "--cameras", "front", "--size", "320x180"],
    "bench": ["--cameras", "1,2", "--objects", "10", "--instants", "1", "--imgsz", "128", "--sizes", "128"],
    "perception demo --source drive": ["--max-frames", "3"],
    "perception evaluate drive --min-height 12 --min-visible 0.5": ["--max-frames", "3"],
    "perception evaluate data/recording": ["--max-frames", "3"],
}
"""What a person waits for and a test does not, by command or whole line."""


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the documents' names stand for."""
    for name in ("drive.mp4", "front.mp4", "rear.mp4"):
        write_street(tmp_path / name, frames=12)
    wide = [np.asarray(cv2.resize(street_image(number), (160, 90)), np.uint8) for number in range(12)]
    write_video(tmp_path / "dash.mp4", wide, fps=10)
    write_street_recording(tmp_path / "path" / "to" / "recording")
    for name in ("drive", "data/recording"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(ROOT / "data" / "recording")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "boxes.txt").write_text("1,-1,10,20,30,40,0.9\n2,-1,12,20,30,40,0.8\n", encoding="utf-8")
    for name, text in MODULES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        monkeypatch.delitem(sys.modules, Path(name).stem, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PERCEPTION_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="session")
def weights() -> None:
    if not any((ROOT / "data" / "weights").glob("*.safetensors")):
        pytest.skip("the bundled weights are absent")


def test_there_is_something_to_run() -> None:
    assert {line.split()[1] for line in RUN} == {"demo", "stream", "evaluate", "simulate", "export", "bench", "weights"}
    assert set(NOT_HERE) <= {line for line, _ in COMMANDS}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(line, marks=needs_simulators if line.startswith("perception simulate") else [])
        for line in RUN
        if line not in NOT_HERE
    ],
)
def test_commands(line: str, working_folder: Path, weights: None, capsys: pytest.CaptureFixture[str]) -> None:
    if "--forecaster trajectory-gru.onnx" in line or "export forecaster" in line:
        pytest.importorskip("onnxscript")
    if "--forecaster trajectory-gru.onnx" in line:
        assert run(["export", "forecaster", "--output", "trajectory-gru.onnx"]) == 0
    if "--results" in line:
        assert run(["demo", "--source", "path/to/recording", "--output", "runs/demo/drive"]) == 0
    with MjpegServer([street_image(number) for number in range(8)], fps=8) as server:
        line_here = line.replace("http://camera.local/stream.mjpg", server.url)
        line_here = line_here.replace("--duration 60", "--duration 2")
        code = run(shlex.split(line_here)[1:] + SHORTER.get(line, SHORTER.get(line.split()[1], [])))
    output = capsys.readouterr()
    assert code == 0, output.err
    command = line.split()[1]
    written = Path(output.out.splitlines()[-1])
    if command == "simulate":
        assert (written / "recording.yaml").is_file()
    elif command == "export":
        assert written.is_file()
    elif command != "weights":
        assert (written / "report.json").is_file()


@pytest.mark.parametrize("line", NOT_HERE)
def test_commands_that_need_what_is_not_here_say_so(
    line: str, working_folder: Path, weights: None, capsys: pytest.CaptureFixture[str]
) -> None:
    code, word = NOT_HERE[line]
    if line.endswith("--show") and Path("/dev/video0").exists():
        pytest.skip("there is a webcam")
    arguments = shlex.split(line.replace("camera.local", "127.0.0.1:9"))[1:]
    if arguments[:2] == ["weights", "fetch"]:
        arguments += ["--base-url", "http://127.0.0.1:9"]
    assert run(arguments) == code
    sentence = capsys.readouterr().err.strip().splitlines()[-1]
    assert word in sentence
    assert "user:password" not in sentence


@pytest.mark.shared
@pytest.mark.parametrize("line", MEASURING)
def test_measuring_commands(
    line: str,
    shared_dir: Path,
    working_folder: Path,
    weights: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a few frames: the whole sets are for people."""
    if "simulated/" in line:
        pytest.skip("these drives are made by the command before")
    line = line.replace("$DATA", str(shared_dir))
    # No test depends on how fast this machine multiplies integers.
    monkeypatch.setattr("perception.profiling.quantization.MOST_TIME_SHARE", float("inf"))
    if "--forecaster runs/" in line:
        _write_untrained(Path("runs") / line.split("--benchmark ")[1].split()[0])
    if line.split()[1] != "export" and "--images" not in line and "--benchmark" not in line:
        line += "" if "--max-frames" in line else " --max-frames 6"
    code = run(shlex.split(line)[1:])
    output = capsys.readouterr()
    assert code == 0, output.err
    written = Path(output.out.splitlines()[-1])
    assert (written if written.suffix == ".onnx" else written / "report.json").is_file()


def _write_untrained(folder: Path) -> None:
    """A small network in the place of a training that takes half an hour."""
    benchmark = BENCHMARKS[folder.name]
    config = GruConfig(
        hidden_size=8,
        input_size=8,
        feature_size=1,
        modes=2,
        horizon_s=benchmark.horizon_s,
        reference_frame=benchmark.reference_frame,
    )
    folder.mkdir(parents=True)
    save_gru(TrajectoryGRU(config), folder / "trajectory-gru.safetensors")


@pytest.mark.parametrize("block", RUN_PYTHON, ids=lambda block: block.id)
def test_python(block: Block, working_folder: Path, weights: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(block.text.splitlines()) <= 15
    exec(compile(block.text, str(block.path), "exec"), {})
    # Nothing is found in a drawn street, so that only what speaks at each instant says something.
    assert capsys.readouterr().out or "for track_id" in block.text
