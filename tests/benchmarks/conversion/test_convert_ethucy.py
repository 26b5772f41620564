"""ETH/UCY from text files: a known answer, a round trip of the real scenes in both layouts, and what may be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.raw_downloads import no_advance, write_ethucy_download

from perception.benchmarks import ETHUCY
from perception.benchmarks.conversion import convert
from perception.benchmarks.conversion.ethucy import SCENES, convert_ethucy
from perception.errors import UsageError

ROWS = "10.0\t2.0\t1.00004\t-2.5\n0.0\t2.0\t0.5\t0\n0\t1\t3\t4\n20\t1\t3\t4\n30 1 3 4\n\n40\t1\t3\t4\n"


@pytest.fixture
def download(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    for scene in SCENES:
        (tmp_path / "raw" / f"{scene}.txt").write_text(ROWS)
    return tmp_path


def test_rows_are_ordered_and_the_last_fifth_is_for_choosing(download):
    columns = convert_ethucy(download, no_advance).columns
    assert columns["students003_frame"].tolist() == [0, 0, 10, 20, 30, 40]
    assert columns["students003_id"].tolist() == [1, 2, 2, 1, 1, 1]
    assert columns["students003_xy"].tolist()[:3] == [[30_000, 40_000], [5000, 0], [10_000, -25_000]]
    assert columns["students003_val_from"] == 40


def test_the_parts_of_a_scene_are_put_together(download):
    whole = convert_ethucy(download, no_advance).columns
    path = download / "raw" / "uni_examples.txt"
    lines = path.read_text().splitlines(keepends=True)
    path.unlink()
    (download / "train").mkdir()
    (download / "train" / "uni_examples_train.txt").write_text("".join(lines[:-1]))
    (download / "train" / "uni_examples_val.txt").write_text(lines[-1])
    parts = convert_ethucy(download, no_advance).columns
    for name, values in whole.items():
        np.testing.assert_array_equal(parts[name], values)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("0 1 2\n", "biwi_eth.txt, line 1: has 3 columns instead of 4"),
        ("0 1 2 3\n10 1 2 0 3 0 0 0\n", "line 2: has 8 columns"),
        ("0 1 2 3\n\n10 1 2 north\n", "line 3"),
        ("0 1 2 nan\n", "line 1"),
        ("6 1 2 3\n", "frame 6 of pedestrian 1"),
        ("0 1.5 2 3\n", "pedestrian 1.5"),
        ("0 1 2 3\n0 1 2 3\n", "pedestrian 1 is twice in frame 0"),
        ("0 1 1e9 3\n", "too large"),
        ("\n", "has no rows"),
    ],
)
def test_a_broken_line_is_named(download, text, named):
    (download / "raw" / "biwi_eth.txt").write_text(text)
    with pytest.raises(UsageError, match=named):
        convert_ethucy(download, no_advance)


def test_a_missing_scene_and_a_missing_folder_are_named(download):
    (download / "raw" / "crowds_zara03.txt").unlink()
    with pytest.raises(UsageError, match=r"crowds_zara03\.txt"):
        convert_ethucy(download, no_advance)
    with pytest.raises(UsageError, match="elsewhere: is no folder"):
        convert_ethucy(download / "elsewhere", no_advance)


@pytest.mark.shared
@pytest.mark.parametrize("in_parts", [False, True])
def test_the_real_scenes_come_back_as_they_were(shared_dir, tmp_path, in_parts):
    path = shared_dir / "benchmarks" / "ethucy.npz"
    with np.load(path) as original:
        expected = dict(original)
    download = write_ethucy_download(tmp_path / "sgan", expected, in_parts=in_parts)
    convert("ethucy", download, tmp_path / "e.npz", no_advance)
    with np.load(tmp_path / "e.npz") as content:
        assert set(content) == set(expected)
        for name, values in expected.items():
            np.testing.assert_array_equal(content[name], values, err_msg=name)
            assert content[name].dtype == values.dtype
    assert len(ETHUCY.read(tmp_path / "e.npz", "test", "eth")) == 364
