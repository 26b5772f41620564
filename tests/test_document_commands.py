"""The commands and the Python of README and docs/ do what they say, on small data that stands in for the reader's."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.documents import ROOT, Block, blocks, shell_lines
from support.media import write_image, write_video
from support.mjpeg_server import MjpegServer
from support.moving_boxes import street_image, write_street, write_street_recording
from support.simulators import needs_simulators

from perception.benchmarks import BENCHMARKS
from perception.cli import run
from perception.forecasting import GruConfig, TrajectoryGRU, save_gru

README = ROOT / "README.md"
ALL_COMMANDS = [[line for line in shell_lines(block) if line.startswith("perception ")] for block in blocks("sh")]


def units(block: Block) -> list[tuple[str, ...]]:
    """The commands of a block that are run: each alone, or all together where one reads what another makes."""
    lines = [line for line in shell_lines(block) if line.startswith("perception ") and "$DATA" not in line]
    made = [words[words.index("--output") + 1] for line in lines if "--output" in (words := shlex.split(line))]
    used = {word for line in lines for word in shlex.split(line) if f"--output {word}" not in line}
    return [tuple(lines)] if used & set(made) else [(line,) for line in lines]


def is_run(block: Block) -> bool:
    """What README shows, and what pages mark."""
    return block.path == README or block.mark == "run"


RUN = list(dict.fromkeys(unit for block in blocks("sh") if is_run(block) for unit in units(block)))
MEASURING = list(
    dict.fromkeys(
        line for lines in ALL_COMMANDS for line in lines if "$DATA" in line and line.split()[1] in ("demo", "evaluate")
    )
)

RUN_PYTHON = [block for block in blocks("python") if block.mark == "python"]
MODULES = {block.mark.removeprefix("module "): block.text for block in blocks("python") if "module " in block.mark}

NOT_HERE = {
    "perception stream 0 --show": (2, "webcam"),
    "perception stream --source 0 --show": (2, "webcam"),
    "perception stream --source rtsp://user:password@camera.local/stream": (1, "rtsp"),
    "perception weights fetch fasterrcnn_resnet50_fpn_v2": (1, "--weights"),
    "perception demo --source drive.mp4 --detector fasterrcnn_resnet50_fpn_v2": (2, "perception weights fetch"),
    "perception demo --source drive.mp4 --detector yolox_s.onnx": (2, "yolox_s.onnx"),
}
"""Commands that need a camera, a network or a file that a test has not: exit code, and what the sentence names."""

SHORTER = {
    "simulate": ["--duration", "0.2", "--cameras", "front", "--size", "320x180"],
    "perception demo --source simulated": ["--imgsz", "128"],
    "perception evaluate simulated": ["--imgsz", "128"],
    "perception demo --source data/recording": ["--max-frames", "2", "--imgsz", "128"],
    "perception evaluate data/recording": ["--max-frames", "2", "--imgsz", "128"],
}
"""What a person waits for and a test does not, by command or the beginning of a line."""

FRAMES = 6
"""Of each video that stands in for the reader's."""

ELSEWHERE = {
    "bench": "test_bench_command.py",
    "export": "test_export_command.py",
    "train": "test_train_own_data.py",
}
"""Commands that are only parsed here, for they take long, and the tests in tests/cli/ that run them."""


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the documents' names stand for."""
    for name in ("drive.mp4", "front.mp4", "rear.mp4"):
        write_street(tmp_path / name, frames=FRAMES)
    wide = [np.asarray(cv2.resize(street_image(number), (160, 90)), np.uint8) for number in range(FRAMES)]
    write_video(tmp_path / "dash.mp4", wide, fps=10)
    write_street_recording(tmp_path / "path" / "to" / "recording", frames=FRAMES)
    for number in range(FRAMES):
        write_image(tmp_path / "frames" / f"{number}.png", street_image(number))
    (tmp_path / "videos").mkdir()
    write_street(tmp_path / "videos" / "1.mp4", frames=FRAMES)
    (tmp_path / "list.txt").write_text("videos/1.mp4\n", encoding="utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "recording").symlink_to(ROOT / "data" / "recording")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "boxes.txt").write_text("1,-1,10,20,30,40,0.9\n2,-1,12,20,30,40,0.8\n", encoding="utf-8")
    tracks = "".join(f"{number},7,{8 + 2 * number},20,24,16,0.9,1,1\n" for number in range(1, FRAMES + 1))
    (tmp_path / "theirs.txt").write_text(tracks, encoding="utf-8")
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
    commands = {line.split()[1] for unit in RUN for line in unit}
    assert commands == {"demo", "stream", "evaluate", "simulate", "export", "bench", "weights", "train"}
    assert all((ROOT / "tests" / "cli" / file).is_file() for file in ELSEWHERE.values())
    assert set(NOT_HERE) <= {line for unit in RUN for line in unit}
    assert any(len(unit) > 1 for unit in RUN), "what a command makes is read by the next"


@pytest.mark.parametrize(
    "unit",
    [
        pytest.param(
            unit,
            id="; ".join(unit),
            marks=needs_simulators if any(line.startswith("perception simulate") for line in unit) else [],
        )
        for unit in RUN
        if not NOT_HERE.keys() & set(unit) and unit[0].split()[1] not in ELSEWHERE
    ],
)
def test_commands(
    unit: tuple[str, ...], working_folder: Path, weights: None, capsys: pytest.CaptureFixture[str]
) -> None:
    if any("--results" in line for line in unit):
        assert run(["demo", "--source", "path/to/recording", "--output", "runs/demo/drive"]) == 0
    for line in unit:
        run_line(line, capsys)


def run_line(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends well and leaves behind what it says."""
    command = line.split()[1]
    shorter = next((SHORTER[beginning] for beginning in SHORTER if line.startswith(beginning)), [])
    with MjpegServer([street_image(number) for number in range(8)], fps=8) as server:
        line_here = line.replace("http://camera.local/stream.mjpg", server.url).replace("--duration 60", "--duration 1")
        code = run(shlex.split(line_here)[1:] + SHORTER.get(command, shorter))
    output = capsys.readouterr()
    assert code == 0, output.err
    if "--no-save" in line:
        assert not Path("runs").exists()
        return
    written = Path(output.out.splitlines()[-1])
    if command == "simulate":
        assert (written / "recording.yaml").is_file()
    elif command != "weights":
        assert (written / "report.json").is_file()


@pytest.mark.parametrize("line", NOT_HERE)
def test_commands_that_need_what_is_not_here_report_it(
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
    if "--forecaster runs/" in line:
        _write_untrained(Path("runs") / line.split("--benchmark ")[1].split()[0])
    if "--benchmark" not in line and "--max-frames" not in line:
        line += " --max-frames 4"
    code = run(shlex.split(line)[1:])
    output = capsys.readouterr()
    assert code == 0, output.err
    assert (Path(output.out.splitlines()[-1]) / "report.json").is_file()


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
