"""The README's commands and Python do what they say, on small data that stands in for the reader's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.media import write_video
from support.mjpeg_server import MjpegServer
from support.moving_boxes import street_image, write_street, write_street_recording
from support.simulators import needs_simulators

from perception.benchmarks import BENCHMARKS
from perception.cli import run
from perception.forecasting import GruConfig, TrajectoryGRU, save_gru
from perception.training.detector.config import DetectorTraining
from perception.training.engine.config import read_training_config
from perception.training.forecaster.config import ForecasterTraining

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL_LINES = [
    line.split(" #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]
COMMANDS = [line for line in SHELL_LINES if line.startswith("perception ")]
DATA_COMMANDS = [line for line in COMMANDS if "$DATA" in line]
TRAINING_COMMANDS = [line for line in DATA_COMMANDS if " train " in line]
OWN_COMMANDS = list(dict.fromkeys(line for line in COMMANDS if "$DATA" not in line))

ANSWERS_NOT_HERE = {
    "perception stream --source 0 --show": (2, "webcam"),
    "perception stream --source rtsp://user:password@camera.local/stream": (1, "rtsp"),
    "perception weights fetch fasterrcnn_resnet50_fpn_v2": (1, "--weights"),
    "perception demo --source drive.mp4 --detector fasterrcnn_resnet50_fpn_v2": (2, "perception weights fetch"),
    "perception demo --source drive.mp4 --detector yolox_s.onnx": (2, "yolox_s.onnx"),
}
"""Commands that need a camera, a network or a file that a test has not: exit code, and what the sentence names."""

SIMULATE = next(line for line in COMMANDS if line.startswith("perception simulate"))
SHORTER = {
    SIMULATE: ["--duration", "0.2", "--cameras", "front", "--size", "320x180"],
    "perception demo --source drive": ["--max-frames", "3"],
    "perception bench": ["--cameras", "1,2", "--objects", "10", "--instants", "1", "--imgsz", "128"],
    "perception evaluate drive --min-height 12 --min-visible 0.5": ["--max-frames", "3"],
    "perception evaluate data/recording": ["--max-frames", "3"],
}
"""What a person waits for and a test does not."""


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the README's names stand for."""
    for name in ("drive.mp4", "front.mp4", "rear.mp4"):
        write_street(tmp_path / name, frames=12)
    wide = [np.asarray(cv2.resize(street_image(number), (160, 90)), np.uint8) for number in range(12)]
    write_video(tmp_path / "dash.mp4", wide, fps=10)
    write_street_recording(tmp_path / "path" / "to" / "recording")
    for name in ("drive", "data/recording"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(ROOT / "data" / "recording")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PERCEPTION_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="session")
def weights() -> None:
    if not any((ROOT / "data" / "weights").glob("*.safetensors")):
        pytest.skip("the bundled weights are absent")


def test_the_readme_shows_what_there_is():
    assert {line.split()[1] for line in COMMANDS} == {
        "demo",
        "stream",
        "evaluate",
        "train",
        "weights",
        "export",
        "simulate",
        "bench",
    }
    assert {"make demo", "make demo SOURCE=path/to/video.mp4", "make test"} <= set(SHELL_LINES)
    assert set(ANSWERS_NOT_HERE) <= set(OWN_COMMANDS)
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / picture).is_file()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(line, marks=needs_simulators if line == SIMULATE else [])
        for line in OWN_COMMANDS
        if line not in ANSWERS_NOT_HERE
    ],
)
def test_commands(line, working_folder, weights, capsys):
    if "--forecaster trajectory-gru.onnx" in line:
        pytest.importorskip("onnxscript")
        assert run(["export", "forecaster", "--output", "trajectory-gru.onnx"]) == 0
    if "--results" in line:
        assert run(["demo", "--source", "path/to/recording", "--output", "runs/demo/drive"]) == 0
    with MjpegServer([street_image(number) for number in range(8)], fps=8) as server:
        line = line.replace("http://camera.local/stream.mjpg", server.url).replace("--duration 60", "--duration 2")
        code = run(shlex.split(line)[1:] + SHORTER.get(line, []))
    output = capsys.readouterr()
    assert code == 0, output.err
    if line.split()[1] == "simulate":
        assert (Path(output.out.splitlines()[-1]) / "recording.yaml").is_file()
    elif line.split()[1] == "export":
        assert Path(output.out.splitlines()[-1]).is_file()
    elif line.split()[1] != "weights":
        assert (Path(output.out.splitlines()[-1]) / "report.json").is_file()


@pytest.mark.parametrize("line", ANSWERS_NOT_HERE)
def test_commands_that_need_what_is_not_here_say_so(line, working_folder, weights, capsys):
    code, word = ANSWERS_NOT_HERE[line]
    if line.endswith("--show") and Path("/dev/video0").exists():
        pytest.skip("there is a webcam")
    arguments = shlex.split(line.replace("camera.local", "127.0.0.1:9"))[1:]
    if arguments[:2] == ["weights", "fetch"]:
        arguments += ["--base-url", "http://127.0.0.1:9"]
    assert run(arguments) == code
    sentence = capsys.readouterr().err.strip().splitlines()[-1]
    assert word in sentence
    assert "user:password" not in sentence


@pytest.mark.parametrize("line", TRAINING_COMMANDS)
def test_training_configurations_are_valid(line):
    words = shlex.split(line)
    kind = {"detector": DetectorTraining, "forecaster": ForecasterTraining}[words[2]]
    read_training_config(kind, ROOT / words[words.index("--config") + 1], {})


@pytest.mark.shared
@pytest.mark.parametrize("line", [line for line in DATA_COMMANDS if line not in TRAINING_COMMANDS])
def test_measuring_commands(line, shared_dir, working_folder, weights, capsys, monkeypatch):
    """On a few frames: the whole sets are for people."""
    line = line.replace("$DATA", str(shared_dir))
    # No test depends on how fast this machine multiplies integers.
    monkeypatch.setattr("perception.profiling.quantization.MOST_TIME_SHARE", float("inf"))
    if "--forecaster runs/" in line:
        _write_untrained(Path("runs") / line.split("--benchmark ")[1].split()[0])
    if "--images" not in line and "--benchmark" not in line:
        line += " --max-frames 6"
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


def test_python(working_folder, weights, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(code.splitlines()) <= 15
    exec(compile(code, "README.md", "exec"), {})
    assert "Traceback" not in capsys.readouterr().err
