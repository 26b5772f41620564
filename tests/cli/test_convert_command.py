"""``perception convert``: a file that the benchmark reads, or one sentence and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import Command

from perception.benchmarks import ETHUCY
from perception.benchmarks.conversion import CONVERTERS
from perception.benchmarks.conversion.ethucy import SCENES


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Each scene: one pedestrian walks east for 40 instants."""
    folder = tmp_path / "ethucy"
    folder.mkdir()
    for scene in SCENES:
        text = "".join(f"{10 * step}.0\t1.0\t{0.4 * step:.4f}\t2.0\n" for step in range(40))
        (folder / f"{scene}.txt").write_text(text)
    return folder


def test_the_file_is_what_the_benchmark_reads(command: Command, tmp_path, scenes):
    ran = command("convert", "ethucy", "--source", scenes, "--output", tmp_path / "new" / "e.npz")
    assert ran.code == 0, ran.err
    assert ran.out == f"{tmp_path / 'new' / 'e.npz'}\n"
    assert "8 scenes, 320 positions." in ran.err
    assert len(ETHUCY.read(tmp_path / "new" / "e.npz", "test", "univ")) == 2 * 21


def test_bad_input_leaves_nothing_behind(command: Command, tmp_path, scenes):
    (scenes / "students001.txt").write_text("0 1 2\n")
    ran = command("convert", "ethucy", "--source", scenes, "--output", tmp_path / "out" / "e.npz")
    assert ran.code == 2
    assert "students001.txt, line 1" in ran.sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", CONVERTERS)
def test_a_missing_folder_is_named(command: Command, tmp_path, name):
    ran = command("convert", name, "--source", tmp_path / "nowhere", "--output", tmp_path / "x.npz")
    assert ran.code == 2
    assert "nowhere" in ran.sentence


@pytest.mark.parametrize("name", CONVERTERS)
def test_an_empty_folder_is_named(command: Command, tmp_path, name):
    (tmp_path / "empty").mkdir()
    ran = command("convert", name, "--source", tmp_path / "empty", "--output", tmp_path / "x.npz")
    assert ran.code == 2
    assert "empty" in ran.sentence
    assert not (tmp_path / "x.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["waymo", "--source", ".", "--output", "x.npz"], "waymo"),
        (["jaad", "--source", ".", "--output", "x.csv"], "x.csv"),
        (["jaad", "--output", "x.npz"], "--source"),
        (["jaad", "--source", "."], "--output"),
    ],
)
def test_wrong_use_is_reported(command: Command, arguments, named):
    ran = command("convert", *arguments)
    assert ran.code == 2
    assert named in ran.sentence
