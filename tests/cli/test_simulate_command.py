"""``perception simulate``: real traffic and real pictures, where the machine has SUMO and OpenGL."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.commands import Command, names_in
from support.processes import children_of, is_alive, lines_in, running, wait_until
from support.simulators import needs_simulators

from perception.cli import run
from perception.errors import PerceptionError
from perception.sources import open_source, read_objects, read_truth
from perception.sources.files.masks import read_mask

SMALL = ("--cameras", "front", "--size", "192x108", "--seed", "4", "--duration", "1", "--fps", "4")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--size", "640"), ["--size 640", "640x360"]),
        (("--size", "641x360"), ["--size 641x360", "even"]),
        (("--size", "16x9"), ["--size 16x9"]),
        (("--cameras", "no-such-rig"), ["no-such-rig", "surround-six"]),
        (("--fps", "0"), ["--fps"]),
        (("--duration", "-3"), ["--duration"]),
    ],
)
def test_bad_options_leave_nothing_behind(command: Command, arguments: tuple[str, ...], words: list[str]) -> None:
    ran = command("simulate", "--output", "drive", *arguments)
    assert ran.code == 2
    assert all(word in ran.sentence for word in words), ran.sentence
    assert not Path("drive").exists()


def test_a_rig_of_another_shape_than_the_size(command: Command) -> None:
    ran = command("simulate", "--output", "drive", "--size", "640x640")
    assert ran.code == 2
    assert "1600x900" in ran.sentence and "640x640" in ran.sentence
    assert not Path("drive").exists()


def test_a_drive_that_never_starts_leaves_nothing_behind(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoDrive:
        def __init__(self, *_: object, **__: object) -> None: ...
        def __enter__(self) -> NoDrive:
            return self

        def __exit__(self, *_: object) -> None: ...
        def __iter__(self) -> Iterator[object]:
            raise PerceptionError("No car stays on the road; give another --seed.")
            yield

    monkeypatch.setattr("perception.simulation.Drive", NoDrive)
    ran = command("simulate", "--output", "drive", *SMALL)
    assert ran.code == 1 and "No car stays on the road" in ran.sentence
    assert not Path("drive").exists()


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same drive twice: as it is, and with masks. The command prints its folder last."""
    plain, masked = (tmp_path_factory.mktemp("drives") / name for name in ("plain", "masked"))
    for folder, more in ((plain, ()), (masked, ("--masks",))):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert run(["simulate", "--output", str(folder), *SMALL, *more]) == 0
        assert out.getvalue().splitlines()[-1] == str(folder)
    return plain, masked


@needs_simulators
def test_a_drive_is_a_recording_that_every_command_takes(command: Command, drives: tuple[Path, Path]) -> None:
    drive, _ = drives
    assert names_in(drive) == [
        "CAM_FRONT.mp4", "objects.csv", "objects3d.csv", "poses.csv", "recording.yaml"
    ]  # fmt: skip
    source = open_source([str(drive)])
    frame_sets = list(source)
    assert source.rig is not None and source.rig.cameras["CAM_FRONT"].size_px == (192, 108)
    assert [frame_set.timestamp_ns for frame_set in frame_sets] == [0, 250_000_000, 500_000_000, 750_000_000]
    assert all(frame_set.world_from_vehicle is not None for frame_set in frame_sets)
    truth, objects = read_truth(drive), read_objects(drive)
    assert truth is not None and objects is not None and len(objects) > 0
    assert set(truth.ids) <= set(objects.ids)
    # A picture of a street is no plain surface, and it changes while the car drives.
    assert frame_sets[0].frames[0].image.std() > 10
    ran = command("evaluate", drive, "--forecaster", "constant-velocity")
    assert ran.code == 0, ran.err
    report = json.loads((ran.folder / "report.json").read_text())
    assert report["run"]["instants"] == 4


@needs_simulators
def test_the_same_seed_gives_the_same_recording_with_and_without_masks(drives: tuple[Path, Path]) -> None:
    first, second = drives
    for name in ("objects.csv", "objects3d.csv", "poses.csv", "recording.yaml"):
        assert (first / name).read_text() == (second / name).read_text()
    for one, other in zip(open_source([str(first)]), open_source([str(second)]), strict=True):
        np.testing.assert_array_equal(one.frames[0].image, other.frames[0].image)


@needs_simulators
def test_masks_state_whose_each_pixel_is(drives: tuple[Path, Path]) -> None:
    _, drive = drives
    truth = read_truth(drive)
    assert truth is not None and truth.visible_shares is not None
    checked = 0
    for frame_set in open_source([str(drive)]):
        frame = frame_set.frames[0]
        mask = read_mask(drive, frame.camera, frame.index)
        assert mask.shape == frame.image.shape[:2]
        here = truth[truth.frame_indices == frame.index]
        assert set(np.unique(mask)) - {0} == set(1 + here.ids)
        heights_px = here.boxes_xyxy_px[:, 3] - here.boxes_xyxy_px[:, 1]
        whole = here[(here.visible_shares > 0.99) & (heights_px >= 8)]
        for identity, box in zip(whole.ids, whole.boxes_xyxy_px, strict=True):
            rows, columns = np.nonzero(mask == 1 + identity)
            np.testing.assert_allclose([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], box, atol=2)
            checked += 1
    assert checked


@needs_simulators
def test_without_opengl_the_sentence_names_the_packages(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", os.devnull)  # a machine without any driver
    ran = command("simulate", "--output", "drive", *SMALL)
    assert ran.code == 2
    assert "libegl1" in ran.sentence and "libgl1-mesa-dri" in ran.sentence
    assert not Path("drive").exists()


@needs_simulators
def test_a_killed_simulation_takes_its_processes_along_and_can_begin_anew(command: Command, tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "perception", "simulate", "--output", "drive", *SMALL, "--duration", "100"]
    with running(arguments, tmp_path) as process:
        wait_until(lambda: lines_in(tmp_path / "drive" / "poses.csv") > 2, process)
        workers = children_of(process.pid)
        assert len(workers) >= 2, "SUMO and OpenGL"
        process.kill()
        process.wait()
        wait_until(lambda: not any(map(is_alive, workers)))
    ran = command("demo", "drive", "--no-save")
    assert (ran.code, "drive: is unfinished" in ran.sentence) == (2, True)
    ran = command("simulate", "--output", "drive", *SMALL)
    assert ran.code == 0, ran.err
    assert ran.folder == Path("drive")
    assert len(list(open_source(["drive"]))) == 4


@needs_simulators
def test_ctrl_c_leaves_a_shorter_drive(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "perception", "simulate", "--output", "drive", *SMALL, "--duration", "100"]
    with running(arguments, tmp_path) as process:
        wait_until(lambda: lines_in(tmp_path / "drive" / "poses.csv") > 2, process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Ended early: Ctrl-C; the first" in err
    assert "pyarrow" not in err
    assert len(list(open_source([str(tmp_path / "drive")]))) >= 2
