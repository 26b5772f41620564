"""A package of somebody else's, installed beside perception and used through the real command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import yaml
from support.commands import Command, names_in

from perception import plugins

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tests" / "plugin"
INSTANTS = 12


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package of ``tests/plugin``: built and installed without network."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(PACKAGE, folder / "tree", ignore=shutil.ignore_patterns("__pycache__"))
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(folder)!r})"
    _run([sys.executable, "-c", build], folder / "tree")
    (wheel,) = folder.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index", "--no-deps"]
    _run([*pip, "--target", str(folder / "site"), str(wheel)], folder)
    return folder / "site"


def _run(command: list[str], folder: Path, *path: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(entry) for entry in (*path, ROOT))}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran


def _centres(folder: Path) -> list[tuple[int, int, float]]:
    """(index, id, x of the box's centre in pixels) of all tracks."""
    rows = [line.split(",") for line in (folder / "tracks.txt").read_text().splitlines()]
    return [(int(row[0]) - 1, int(row[1]), float(row[2]) + float(row[4]) / 2) for row in rows]


def test_all_parts_of_a_package_work_together(installed: Path, tmp_path: Path) -> None:
    parts = ["--detector", "colour:red", "--tracker", "nearest", "--forecaster", "stays:1", "--writer", "positions"]
    command = [sys.executable, "-m", "perception", "demo", "--source", f"drawn:{INSTANTS}", *parts, "--device", "cpu"]
    ran = _run(command, tmp_path, installed)
    folder = tmp_path / ran.stdout.splitlines()[-1]
    assert folder.name == "drawn_drive"
    assert {"positions.csv", "tracks.txt", "scene.mp4", "report.json"} <= set(names_in(folder))
    moving = [(index, 1, 22 + 2 * index) for index in range(INSTANTS)]
    assert _centres(folder) == moving
    lines = [line.split(",") for line in (folder / "positions.csv").read_text().splitlines()]
    assert [(int(index), int(track)) for index, track, *_ in lines] == [(index, 1) for index in range(INSTANTS)]
    assert [float(x) * 160 for _, _, x, _ in lines] == pytest.approx([x for _, _, x in moving], abs=0.01)
    last = json.loads((folder / "forecasts.jsonl").read_text().splitlines()[-1])
    assert last["dt_s"] == 0.1
    assert {step[0] for step in last["tracks"][0]["means"][0]} == {round(moving[-1][2] / 160, 5)}  # it stays
    chosen = yaml.safe_load((folder / "run.yaml").read_text())["chosen"]
    assert chosen == [
        "Detector: colour of colour:red, as asked.",
        "Tracker: nearest, as asked.",
        "Ego-motion: from the pictures (flow).",
        "Forecaster: stays:1, as asked.",
    ]


@pytest.fixture
def plugin_command(command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line where the package's modules can be imported, though it is not installed."""
    monkeypatch.syspath_prepend(PACKAGE)
    return command


FACTORIES = {part: f"perception_colours.{part}:open_{part}" for part in ("detector", "tracker", "forecaster", "source")}


def _options(**changed: str) -> list[str]:
    return [text for part, spec in (FACTORIES | changed).items() for text in (f"--{part}", spec)]


def test_factories_of_modules(plugin_command: Command) -> None:
    source = FACTORIES["source"] + ":9"
    ran = plugin_command("demo", *_options(source=source), "--stride", 2, "--no-save", "--writer", "")
    assert ran.code == 2 and "there is no such writer" in ran.sentence
    ran = plugin_command("demo", *_options(source=source), "--stride", 2)
    assert ran.code == 0, ran.err
    assert _centres(ran.folder) == [(index, 1, 22 + 2 * index) for index in (0, 2, 4, 6, 8)]
    assert yaml.safe_load((ran.folder / "run.yaml").read_text())["config"]["tracker"] == FACTORIES["tracker"]


@pytest.mark.parametrize(
    ("part", "spec", "sentence"),
    [
        ("detector", "perception_colours.detector:open_detector:pink", "colour pink: choose from red, green, blue."),
        (
            "tracker",
            "perception_colours.tracker:NearestTracker",
            "--tracker perception_colours.tracker:NearestTracker: ",
        ),
        ("tracker", "perception_colours.writer:PositionWriter", "its factory failed (AttributeError: "),
        ("forecaster", "perception_colours.forecaster:open_it", "cannot be imported (AttributeError: "),
        ("forecaster", "constant-velocty", "did you mean constant-velocity."),
        ("source", "perception_colours.source:open_source:many", "its factory failed (ValueError: "),
        ("source", "drwan:12", "no such file or folder; check the name (did you mean drawn)."),
        ("source", "drwan:twelve", "check the name (did you mean drawn) and that its package is installed."),
        ("source", "perception_colours.nothing:open_source", "cannot be imported (ModuleNotFoundError: "),
    ],
)
def test_what_is_wrong_is_one_sentence(
    plugin_command: Command, monkeypatch: pytest.MonkeyPatch, part: str, spec: str, sentence: str
) -> None:
    announced = EntryPoint("source.drawn", FACTORIES["source"], plugins.GROUP)
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: [announced])
    ran = plugin_command("demo", *_options(**{part: spec}))
    assert ran.code == 2
    assert sentence in ran.sentence


def test_a_source_of_a_package_stands_alone(plugin_command: Command, street: Path) -> None:
    ran = plugin_command("demo", *_options(), "--source", street)
    assert ran.code == 2 and "is a plug-in's source, which stands alone" in ran.sentence
    ran = plugin_command("stream", *_options())
    assert ran.code == 2 and "is a recording, no camera" in ran.sentence


def test_a_writer_without_a_folder_speaks_for_itself(plugin_command: Command) -> None:
    writer = "perception_colours.writer:open_writer"
    ran = plugin_command("demo", *_options(), "--no-save", "--writer", writer)
    assert ran.code == 2 and "has no folder to write into; leave --no-save away" in ran.sentence


def test_boxes_from_elsewhere_drive_the_pipeline(plugin_command: Command) -> None:
    """What one run found drives another one, which then finds, follows and forecasts the same."""
    source = FACTORIES["source"] + ":24"
    asked = ("demo", "--source", source, "--forecaster", "constant-velocity", "--device", "cpu")
    colour = plugin_command(*asked, "--detector", FACTORIES["detector"])
    assert colour.code == 0, colour.err
    for results in ("detections.json", "tracks.txt"):
        ran = plugin_command(*asked, "--detector", f"results:{colour.folder / results}")
        assert ran.code == 0, ran.err
        assert (ran.folder / "detections.json").read_text().count("image_id") > 20
        digests = yaml.safe_load((ran.folder / "run.yaml").read_text())["weights_sha256"]
        assert list(digests) == [results]
    again = plugin_command(*asked, "--detector", f"results:{colour.folder / 'detections.json'}")
    for name in ("detections.json", "tracks.txt"):
        assert (again.folder / name).read_bytes() == (colour.folder / name).read_bytes()
