"""KITTI seen from above from the raw drives: a known answer, real drives, and what may be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.raw_downloads import (
    drive_folder,
    no_advance,
    part_of_kitti,
    write_kitti_calibration,
    write_kitti_download,
    write_oxts,
    write_oxts_rows,
    write_tracklets,
)

from perception.benchmarks import KITTI
from perception.benchmarks.conversion import convert
from perception.benchmarks.conversion.kitti import CLASSES, DRIVES, convert_kitti
from perception.errors import UsageError


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """The car of drive 1 goes 1 m a step to the north; a cyclist stays 10 m ahead and 2 m to the left of the laser,
    which is 1 m ahead of the inertial unit, in the last two of three steps.
    """
    day = tmp_path / "2011_09_26"
    velo_from_imu = np.eye(4)
    velo_from_imu[0, 3] = -1
    write_kitti_calibration(day, velo_from_imu)
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, :2, :2] = [[0, -1], [1, 0]]
    poses[:, 1, 3] = [0, 1, 2]
    write_oxts(drive_folder(day, 1), poses)
    write_tracklets(drive_folder(day, 1), [("Cyclist", 1, np.array([[10, 2, -1.7], [10, 2, -1.7]]))])
    return tmp_path


def test_the_car_comes_first_and_right_is_positive(download):
    converted = convert_kitti(download, no_advance)
    columns = converted.columns
    assert columns["offset"].tolist() == [0, 3, 5]
    assert columns["drive"].tolist() == [1, 1]
    assert columns["start"].tolist() == [0, 1]
    assert columns["classes"][columns["cls"]].tolist() == ["Car", "Cyclist"]
    expected = [[-1000, 0], [0, 0], [1000, 0], [11_000, -2000], [12_000, -2000]]
    np.testing.assert_array_equal(columns["xy_mm"], expected)
    assert "23 of the benchmark's 24 drives are missing (0002" in converted.notes[1]


def test_the_folder_of_the_day_will_do(download):
    assert len(convert_kitti(download / "2011_09_26", no_advance).columns["drive"]) == 2


@pytest.mark.parametrize(
    ("name", "old", "new", "named"),
    [
        ("tracklet_labels.xml", "</tracklets>", "", r"tracklet_labels\.xml: is no complete XML"),
        ("tracklet_labels.xml", "Cyclist", "Cat", "tracklet 1"),
        ("tracklet_labels.xml", "<tx>10.0</tx>", "", "tracklet 1"),
        ("tracklet_labels.xml", "<first_frame>1", "<first_frame>2", "frames 2 to 3.*3 poses"),
        ("tracklet_labels.xml", "<first_frame>1", "<first_frame>one", "tracklet 1"),
        ("oxts/data/0000000001.txt", "49.0", "forty", r"0000000001\.txt, line 1"),
        ("oxts/data/0000000001.txt", " ", "", r"0000000001\.txt, line 1: has 1 column instead of 6"),
        ("oxts/data/0000000001.txt", "\n", "\n1 2 3 4 5 6\n", "has 2 lines"),
        ("../calib_imu_to_velo.txt", "T:", "X:", r"calib_imu_to_velo\.txt: has no lines"),
        ("../calib_imu_to_velo.txt", "R: 1.0", "R: ", r"calib_imu_to_velo\.txt: has no lines"),
    ],
)
def test_a_broken_file_is_named(download, name, old, new, named):
    path = drive_folder(download / "2011_09_26", 1) / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UsageError, match=named):
        convert_kitti(download, no_advance)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("tracklet_labels.xml", "tracklet_labels.xml: is missing"),
        ("oxts", "oxts/data: holds no"),
        ("../calib_imu_to_velo.txt", "calib_imu_to_velo.txt: is missing"),
        ("", "holds no drive such as 2011_09_26"),
    ],
)
def test_what_is_missing_is_named(download, name, named):
    (drive_folder(download / "2011_09_26", 1) / name).resolve().rename(download / "elsewhere")
    with pytest.raises(UsageError, match=named):
        convert_kitti(download, no_advance)


@pytest.mark.shared
def test_real_tracks_come_back_as_they_were_but_for_the_origin(shared_dir, tmp_path):
    with np.load(shared_dir / "benchmarks" / "kitti_mantra.npz") as content:
        original = dict(content)
    assert tuple(np.unique(original["drive"])) == DRIVES
    assert tuple(original["classes"]) == CLASSES
    expected = part_of_kitti(original, [1, 5, 17, 91])
    convert("kitti", write_kitti_download(tmp_path / "raw", expected), tmp_path / "k.npz", no_advance)
    with np.load(tmp_path / "k.npz") as content:
        assert set(content) == set(expected)
        assert {name: content[name].dtype for name in content} == {name: original[name].dtype for name in content}
        for name in set(expected) - {"xy_mm"}:
            np.testing.assert_array_equal(content[name], expected[name], err_msg=name)
        moved = expected["xy_mm"] - content["xy_mm"]
    drive_of_row = np.repeat(expected["drive"], np.diff(expected["offset"]))
    for drive in np.unique(drive_of_row):
        assert len(np.unique(moved[drive_of_row == drive], axis=0)) == 1
    assert len(KITTI.read(tmp_path / "k.npz", "test", "")) > 0


@pytest.mark.shared
@pytest.mark.parametrize(("sequence", "drive"), [("0000", 5), ("0004", 14), ("0011", 59), ("0012", 60)])
def test_real_poses_and_labels_give_the_published_positions(shared_dir, tmp_path, sequence, drive):
    """KITTI's tracking labels are the same drives' tracklets in another camera's axes."""
    folder = shared_dir / "real" / "kitti_tracking"
    lines = (folder / "calib" / f"{sequence}.txt").read_text().splitlines()
    rows = {line.split()[0]: np.array(line.split()[1:], float) for line in lines if line.strip()}
    velo_from_imu, left_from_velo, rectified_from_left = np.eye(4), np.eye(4), np.eye(4)
    velo_from_imu[:3], left_from_velo[:3] = rows["Tr_imu_velo"].reshape(3, 4), rows["Tr_velo_cam"].reshape(3, 4)
    rectified_from_left[:3, :3] = rows["R_rect"].reshape(3, 3)
    day = tmp_path / "2011_09_26"
    write_kitti_calibration(day, velo_from_imu)
    write_oxts_rows(drive_folder(day, drive), np.loadtxt(folder / "oxts" / f"{sequence}.txt", usecols=range(6)))
    labels = [line.split() for line in (folder / "label_02" / f"{sequence}.txt").read_text().splitlines()]
    velo_from_rectified = np.linalg.inv(rectified_from_left @ left_from_velo)
    tracklets, seen = [], []
    for number in sorted({int(line[1]) for line in labels if line[1] != "-1"}):
        own = [line for line in labels if line[1] == str(number)]
        frames = np.array([int(line[0]) for line in own])
        positions = np.array([[float(word) for word in line[13:16]] + [1] for line in own]) @ velo_from_rectified.T
        every = np.arange(frames[0], frames[-1] + 1)
        filled = np.stack([np.interp(every, frames, positions[:, axis]) for axis in range(3)], axis=1)
        tracklets.append(({"Person": "Person (sitting)"}.get(own[0][2], own[0][2]), int(frames[0]), filled))
        seen.append(frames)
    write_tracklets(drive_folder(day, drive), tracklets)
    ours = convert_kitti(tmp_path, no_advance).columns
    with np.load(shared_dir / "benchmarks" / "kitti_mantra.npz") as content:
        theirs = part_of_kitti(content, [drive])
    _compare(ours, theirs)


def _compare(ours, theirs) -> None:
    """The car within a millimetre of rounding, objects that are in both within centimetres."""
    tracks = [
        [
            (int(columns["start"][i]), str(columns["classes"][columns["cls"][i]]), columns["xy_mm"][a:b])
            for i, (a, b) in enumerate(zip(columns["offset"][:-1], columns["offset"][1:], strict=True))
        ]
        for columns in (ours, theirs)
    ]
    origin = tracks[1][0][2][0] - tracks[0][0][2][0]
    assert np.abs(tracks[0][0][2] + origin - tracks[1][0][2]).max() <= 2
    distances = []
    for start, name, positions in tracks[0][1:]:
        candidates = []
        for other_start, other_name, other in tracks[1][1:]:
            first, last = max(start, other_start), min(start + len(positions), other_start + len(other))
            if last > first and name == other_name:
                own = positions[first - start : last - start] + origin
                apart = own - other[first - other_start : last - other_start]
                candidates.append(np.linalg.norm(apart, axis=1).mean())
        distances.append(min(candidates, default=np.inf))
    assert np.median(distances) < 60
    assert np.mean(np.array(distances) < 150) > 0.9
