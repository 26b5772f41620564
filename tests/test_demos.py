"""Every demo and every configuration runs."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import BOXES_OPTIONS
from support.mjpeg_server import MjpegServer
from support.moving_boxes import street_image, write_street, write_street_recording

import perception
from perception.cli import run

ROOT = Path(__file__).parents[1]

Demo = Callable[..., str]


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Demo:
    """Runs a script as a user would; returns what it printed."""
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)

    def run_demo(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(ROOT / "demos" / name), run_name="__main__")
        return capsys.readouterr().out

    return run_demo


def test_recorded_video(demo: Demo, tmp_path: Path) -> None:
    out = demo("recorded_video.py", write_street(tmp_path / "street.mp4", frames=8), *BOXES_OPTIONS)
    assert out.count(" s: ") == 8
    # The upper box starts at x = 22 px and drives 20 px/s: after 0.7 s and 3 s more it is at 96 px.
    assert "car 1 will be at (9" in out.splitlines()[-2]
    assert "px in 3.0 s" in out


def test_webcam(demo: Demo) -> None:
    with MjpegServer([street_image(number) for number in range(8)], fps=20) as server:
        out = demo("webcam.py", server.url, "--frames", 4, *BOXES_OPTIONS)
    assert out.startswith("no window: ")
    assert "2 objects, " in out


def test_evaluation(demo: Demo, tmp_path: Path) -> None:
    out = demo("evaluation.py", write_street_recording(tmp_path / "drive"), *BOXES_OPTIONS)
    assert "Finds 100% of the vehicles" in out
    assert "on ground-truth tracks" in out


def test_surround(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["surround.py", "--instants", "3"])
    runpy.run_path(str(ROOT / "demos" / "surround.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if not line.startswith("  ")] == ["0.0 s", "0.1 s", "0.2 s"]
    assert re.search(r"  (car|truck|bus|motorcycle|bicycle|pedestrian) \d+: -?[0-9.]+ m ahead", out)


def test_speed(demo: Demo, tmp_path: Path) -> None:
    out = demo("speed.py", write_street(tmp_path / "street.mp4", frames=5), "--warmup", 2)
    assert out.startswith("3 frames, ")
    assert float(out.split()[-1]) > 0


def test_ego_motion(demo: Demo) -> None:
    recording = ROOT / "data" / "recording"
    out = demo("ego_motion.py", recording, "--instants", 4, "--without-detector")
    overall = next(line for line in out.splitlines() if line.startswith("  all")).split()
    assert overall[1] == "18", "three frames of six cameras follow another one"
    assert float(overall[3]) < 1, "degrees per second, median"


def test_ego_motion_of_cameras_that_are_not_calibrated(demo: Demo, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="not calibrated"):
        demo("ego_motion.py", write_street(tmp_path / "street.mp4", frames=3))


def test_training(demo: Demo, tmp_path: Path) -> None:
    out = demo("training.py", "--steps", 60, "--output", tmp_path / "run")
    ours, baseline = (float(number) for number in re.findall(r"([0-9.]+) px", out))
    assert ours < baseline
    assert (tmp_path / "run" / "curves.png").is_file()


def test_evaluation_without_ground_truth(demo: Demo, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="has no ground truth"):
        demo("evaluation.py", write_street(tmp_path / "street.mp4", frames=3), *BOXES_OPTIONS)


@pytest.mark.parametrize("name", ["demo", "stream", "evaluate"])
def test_configurations(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.chdir(tmp_path)
    recording = write_street_recording(tmp_path / "drive")
    with MjpegServer([street_image(number) for number in range(8)], fps=20) as server:
        source = server.url if name == "stream" else str(recording)
        config = ROOT / "configs" / f"{name}.yaml"
        code = run([name, *BOXES_OPTIONS, "--config", str(config), "--source", source, "--max-frames", "5"])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    assert Path(captured.out.splitlines()[-1], "report.json").is_file()


def test_a_video_becomes_forecasts_in_few_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (perception.__doc__ or "").split("\n\n", 1)[1].strip().replace("drive.mp4", str(tmp_path / "drive.mp4"))
    assert len(lines.splitlines()) <= 15
    write_street(tmp_path / "drive.mp4", frames=5)
    script = tmp_path / "api.py"
    script.write_text(lines)
    runpy.run_path(str(script))
    assert len(capsys.readouterr().out.splitlines()) >= 5
