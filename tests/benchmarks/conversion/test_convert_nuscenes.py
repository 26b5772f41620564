"""nuScenes' prediction challenge from its tables: what is kept, a round trip of real scenes, and what may be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.raw_downloads import no_advance, part_of_nuscenes, write_nuscenes_download

from perception.benchmarks import NUSCENES
from perception.benchmarks.conversion import convert
from perception.benchmarks.conversion import nuscenes_tables as tables_module
from perception.benchmarks.conversion.nuscenes import convert_nuscenes
from perception.benchmarks.conversion.nuscenes_tables import Tables
from perception.errors import UsageError


def small(scenes: tuple[str, ...] = ("scene-0400", "scene-0003")) -> dict[str, np.ndarray]:
    """In each of two scenes 14 frames of the car and of a bus beside it, which is a target at the second of them."""
    frames, is_bus = np.repeat(np.arange(14), 2), np.tile([False, True], 14)
    count = len(frames)
    return {
        "scenes": np.array(scenes),
        "scene": np.repeat(np.arange(len(scenes)), count).astype(np.int16),
        "split": np.repeat(np.arange(len(scenes)), count).astype(np.uint8),
        "frame": np.tile(frames, len(scenes)).astype(np.uint8),
        "id": np.tile(np.where(is_bus, 0, 99), len(scenes)).astype(np.uint8),
        "cls": np.tile(np.where(is_bus, 2, 255), len(scenes)).astype(np.uint8),
        "xy_mm": np.tile(np.stack([1000 * frames, np.where(is_bus, 7000, 0)], axis=1), (len(scenes), 1)).astype(
            np.int32
        ),
        "yaw_mrad10": np.tile(np.where(is_bus, -15_708, 31_415), len(scenes)).astype(np.int16),
        "size_mm": np.tile(np.where(is_bus[:, None], [2900, 11_000], [1730, 4084]), (len(scenes), 1)).astype(np.int16),
        "flag": np.tile(is_bus & (frames == 1), len(scenes)).astype(np.uint8),
    }


@pytest.fixture
def download(tmp_path: Path) -> Path:
    return write_nuscenes_download(tmp_path / "nuscenes", small())


def change(download: Path, table: str, edit) -> None:
    path = download / "v1.0-trainval" / f"{table}.json"
    rows = json.loads(path.read_text())
    edit(rows)
    path.write_text(json.dumps(rows))


def test_what_belongs_to_targets_is_kept_and_scenes_for_choosing_are_left_out(download):
    converted = convert_nuscenes(download, no_advance)
    for name, values in small().items():
        np.testing.assert_array_equal(converted.columns[name], values, err_msg=name)
    assert converted.notes == ("2 scenes, 1 target to learn from and 1 to be tested on.",)


def test_no_more_than_three_annotations_before_a_target_are_kept(download):
    path = download / "maps" / "prediction" / "prediction_scenes.json"
    targets = json.loads(path.read_text())
    targets["scene-0400"] = [targets["scene-0400"][0].replace("s003", "s008")]
    path.write_text(json.dumps(targets))
    columns = convert_nuscenes(download, no_advance).columns
    in_first = columns["scene"] == 0
    # The target's sample is the seventh that the file had; frames count from the first one that is kept.
    assert columns["frame"][in_first & (columns["id"] == 0)].tolist() == list(range(14 - 3))
    assert columns["frame"][columns["flag"] == 1].tolist() == [3, 1]
    assert columns["xy_mm"][in_first][0].tolist() == [3000, 0]


def test_tables_are_read_across_the_ends_of_blocks(download, monkeypatch):
    whole = convert_nuscenes(download, no_advance).columns
    monkeypatch.setattr(tables_module, "_BLOCK", 400)
    heard = []
    in_blocks = convert_nuscenes(download, lambda done, total: heard.append((done, total))).columns
    for name, values in whole.items():
        np.testing.assert_array_equal(in_blocks[name], values)
    assert heard == sorted(heard)
    assert heard[-1][0] == heard[-1][1]


@pytest.mark.parametrize(
    "text", ["", "{}", "[", '[{"token": 1}', '[{"token": 1}, {"tok', "[1 2", "nonsense", "[" + "x" * 5000]
)
def test_a_table_that_is_no_whole_list_is_named(tmp_path, text, monkeypatch):
    monkeypatch.setattr(tables_module, "_BLOCK", 1000)
    (tmp_path / "scene.json").write_text(text)
    with pytest.raises(UsageError, match=r"scene\.json"):
        list(Tables(tmp_path, ["scene"], no_advance).rows("scene", "token"))


def test_rows_of_a_table_give_the_fields_that_are_asked_for(tmp_path):
    (tmp_path / "scene.json").write_text(' [ {"token": "a", "n": [1, 2]} ,\n{"n": {}, "token": "]"}\n] ')
    assert list(Tables(tmp_path, ["scene"], no_advance).rows("scene", "n", "token")) == [([1, 2], "a"), ({}, "]")]
    with pytest.raises(UsageError, match=r"scene\.json, row 1: has no 'name'"):
        list(Tables(tmp_path, ["scene"], no_advance).rows("scene", "name"))


@pytest.mark.parametrize(
    ("table", "edit", "named"),
    [
        ("scene", lambda rows: rows.pop(), "scene.json: has no scene-0400"),
        ("sample_annotation", lambda rows: rows.clear(), "sample_annotation.json: lacks instance scene-0400-i00"),
        ("sample_annotation", lambda rows: rows[-1].update(translation=None), "no list of numbers"),
        ("sample_annotation", lambda rows: rows[-1].update(size=["a", "b", "c"]), "no list of numbers"),
        ("sample_annotation", lambda rows: rows[-1].update(size=None), "no list of numbers"),
        ("ego_pose", lambda rows: rows.clear(), "no pose of the laser's key frame of sample"),
        ("category", lambda rows: rows.clear(), "instance.json, scene-0003-i00"),
        ("instance", lambda rows: rows.clear(), "instance.json: has no scene-0003-i00"),
        ("sample", lambda rows: rows.clear(), "sample.json: lacks sample"),
    ],
)
def test_what_the_tables_lack_is_named(download, table, edit, named):
    change(download, table, edit)
    with pytest.raises(UsageError, match=named):
        convert_nuscenes(download, no_advance)


@pytest.mark.parametrize(
    "text", ['{"scene-0400": ["a_b_c"]}', '{"scene-0400": 3}', "[1]", "{", "{}", '{"park": ["a_b"]}']
)
def test_a_broken_list_of_targets_is_named(download, text):
    (download / "maps" / "prediction" / "prediction_scenes.json").write_text(text)
    with pytest.raises(UsageError, match=r"prediction_scenes\.json"):
        convert_nuscenes(download, no_advance)


@pytest.mark.parametrize(
    "name", ["maps/prediction/prediction_scenes.json", "v1.0-trainval", "v1.0-trainval/ego_pose.json"]
)
def test_what_is_missing_is_named(download, name):
    (download / name).rename(download / "elsewhere")
    with pytest.raises(UsageError, match=name):
        convert_nuscenes(download, no_advance)


@pytest.mark.shared
def test_real_scenes_come_back_as_they_were(shared_dir, tmp_path):
    with np.load(shared_dir / "benchmarks" / "nuscenes_pred.npz") as content:
        original = dict(content)
    frames = [np.unique(original["frame"][original["scene"] == number]) for number in range(len(original["scenes"]))]
    with_gaps = [number for number, found in enumerate(frames) if found[-1] >= len(found)]
    expected = part_of_nuscenes(original, sorted({0, 1, 2, 3, 475, 476, 612, *with_gaps}))
    assert set(expected) == set(original)
    assert set(expected["cls"]) >= {0, 1, 2, 255}
    convert("nuscenes", write_nuscenes_download(tmp_path / "n", expected), tmp_path / "n.npz", no_advance)
    with np.load(tmp_path / "n.npz") as content:
        assert set(content) == set(expected)
        for name, values in expected.items():
            np.testing.assert_array_equal(content[name], values, err_msg=name)
            assert content[name].dtype == original[name].dtype
    assert len(NUSCENES.read(tmp_path / "n.npz", "test", "")) == expected["flag"][expected["split"] == 1].sum()


@pytest.mark.shared
def test_scenes_are_split_as_in_the_challenge(shared_dir):
    from perception.benchmarks.conversion.nuscenes import _split_of

    with np.load(shared_dir / "benchmarks" / "nuscenes_pred.npz") as content:
        numbers, splits = np.unique(content["scene"], return_index=True)[0], content["split"]
        first = [int(np.argmax(content["scene"] == number)) for number in numbers]
        assert [_split_of(name) for name in content["scenes"].tolist()] == splits[first].tolist()
    every = [_split_of(f"scene-{number:04d}") for number in range(1, 1111)]
    assert every.count(1) == 150
