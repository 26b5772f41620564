"""KITTI seen from above, from the raw recordings: ``2011_09_26/2011_09_26_drive_XXXX_sync`` and the calibration.

A drive holds ``tracklet_labels.xml`` and ``oxts/data/*.txt``; beside the drives lies ``calib_imu_to_velo.txt``. Images
and laser points are not needed. Geiger et al., "Vision meets robotics: The KITTI dataset", IJRR 2013; Marchetti et
al., "MANTRA: Memory augmented networks for multiple trajectory prediction", CVPR 2020.

The axes are those of the published benchmark: x ahead and y to the right of the laser when the drive begins. Its origin
is the laser's first position. MANTRA moved it to the corner of a map made of the laser's points, by another constant
for each drive; no error of the benchmark depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from perception.arrays import FloatArray
from perception.benchmarks.conversion.readers import (
    Advance,
    Converted,
    checked_folder,
    read_numbers,
    read_text,
    read_xml,
    whole_numbers,
)
from perception.errors import UsageError, counted
from perception.geometry.cameras import inverse_rigid
from perception.sources.datasets.kitti_tracking import mercator_poses

DRIVES = (1, 2, 5, 9, 11, 13, 14, 15, 17, 18, 27, 28, 29, 32, 48, 51, 52, 56, 57, 59, 60, 70, 84, 91)
"""Those of the benchmark, all of one day."""

CLASSES = ("Car", "Cyclist", "Misc", "Pedestrian", "Person (sitting)", "Tram", "Truck", "Van")
_DAY = "2011_09_26"
_CALIBRATION = "calib_imu_to_velo.txt"
_OXTS_COLUMNS = ("latitude", "longitude", "altitude", "roll", "pitch", "yaw")


@dataclass
class _DriveTracks:
    """Tracks of all drives so far: positions (n, 2) in metres, and of each its drive, first step and class."""

    positions_m: list[FloatArray] = field(default_factory=list)
    drives: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)

    def add(self, positions_m: FloatArray, *, drive: int, start: int, label: int) -> None:
        self.positions_m.append(positions_m)
        self.drives.append(drive)
        self.starts.append(start)
        self.classes.append(label)


def convert_kitti(source: Path, advance: Advance) -> Converted:
    """Of each drive the recording car, then the labelled objects in the file's order, ten positions per second.

    Drives that are not there are named in the notes. Raises ``UsageError`` when none is, or naming the broken file.
    """
    folder = checked_folder(source, "KITTI's raw data")
    day = folder / _DAY if (folder / _DAY).is_dir() else folder
    found = {drive: path for drive in DRIVES if (path := day / f"{_DAY}_drive_{drive:04d}_sync").is_dir()}
    if not found:
        raise UsageError(
            f"{folder}: holds no drive such as {_DAY}/{_DAY}_drive_0001_sync; download the synced drives and their "
            "tracklets of this day."
        )
    velo_from_imu = _calibration(day / _CALIBRATION)
    tracks = _DriveTracks()
    for number, (drive, path) in enumerate(found.items()):
        _add_drive(tracks, path, drive, velo_from_imu)
        advance(number + 1, len(found))
    columns = {
        "offset": np.concatenate([[0], np.cumsum([len(track) for track in tracks.positions_m])]).astype(np.int32),
        "xy_mm": whole_numbers(np.concatenate(tracks.positions_m) * 1000, np.int32, day),
        "drive": np.array(tracks.drives, np.int16),
        "start": np.array(tracks.starts, np.int16),
        "cls": np.array(tracks.classes, np.uint8),
        "classes": np.array(CLASSES),
    }
    notes = [f"{counted(len(found), 'drive')}, {counted(len(tracks.drives), 'track')}."]
    if missing := [f"{drive:04d}" for drive in DRIVES if drive not in found]:
        notes.append(
            f"{len(missing)} of the benchmark's {len(DRIVES)} drives are missing ({', '.join(missing)}): figures "
            "measured on this file are not those of the benchmark."
        )
    return Converted(columns, tuple(notes))


def _add_drive(tracks: _DriveTracks, path: Path, drive: int, velo_from_imu: FloatArray) -> None:
    imu_poses = _poses(path / "oxts" / "data", velo_from_imu)
    velo_poses = imu_poses @ inverse_rigid(velo_from_imu)
    tracks.add(_from_above(imu_poses[:, :3, 3]), drive=drive, start=0, label=CLASSES.index("Car"))
    labels = path / "tracklet_labels.xml"
    for number, item in enumerate(read_xml(labels).findall("./tracklets/item"), start=1):
        label, start, positions_m = _tracklet(item, labels, number)
        if start < 0 or start + len(positions_m) > len(velo_poses):
            raise UsageError(
                f"{labels}, tracklet {number}: has frames {start} to {start + len(positions_m) - 1}, but "
                f"{path / 'oxts'} has {len(velo_poses)} poses; download the drive again."
            )
        poses = velo_poses[start : start + len(positions_m)]
        moved = np.einsum("nij,nj->ni", poses[:, :3, :3], positions_m) + poses[:, :3, 3]
        tracks.add(_from_above(moved), drive=drive, start=start, label=label)


def _from_above(positions_m: FloatArray) -> FloatArray:
    """(n, 3) with y to the left: (n, 2) with y to the right."""
    return positions_m[:, :2] * [1.0, -1.0]


def _calibration(path: Path) -> FloatArray:
    """(4, 4): the laser's axes from those of the inertial unit."""
    velo_from_imu = np.eye(4)
    found = {}
    for line in read_text(path).splitlines():
        name, _, numbers = line.partition(":")
        found[name.strip()] = numbers.split()
    try:
        velo_from_imu[:3, :3] = np.array(found["R"], float).reshape(3, 3)
        velo_from_imu[:3, 3] = np.array(found["T"], float).reshape(3)
    except (KeyError, ValueError) as error:
        raise UsageError(f"{path}: has no lines R: of 9 and T: of 3 numbers; download it again.") from error
    return velo_from_imu


def _poses(folder: Path, velo_from_imu: FloatArray) -> FloatArray:
    """(n, 4, 4): from the inertial unit at each step to the laser's axes at the first one."""
    paths = sorted(folder.glob("*.txt"))
    if not paths:
        raise UsageError(f"{folder}: holds no *.txt; download the synced drive again.")
    rows = []
    for path in paths:
        row = read_numbers(path, _OXTS_COLUMNS, further=True)
        if len(row) != 1:
            raise UsageError(f"{path}: has {counted(len(row), 'line')} instead of one; download the drive again.")
        rows.append(row[0])
    world_from_imu = mercator_poses(*np.array(rows).T)
    poses: FloatArray = velo_from_imu @ inverse_rigid(world_from_imu[0]) @ world_from_imu
    return poses


def _tracklet(item: ElementTree.Element, path: Path, number: int) -> tuple[int, int, FloatArray]:
    """Class, first step and positions (n, 3) in the laser's axes of each step, in metres."""
    try:
        label = CLASSES.index(item.findtext("objectType", "").strip())
        start = int(item.findtext("first_frame", ""))
        positions_m = np.array(
            [[float(pose.findtext(name, "")) for name in ("tx", "ty", "tz")] for pose in item.findall("./poses/item")]
        ).reshape(-1, 3)
    except ValueError as error:
        raise UsageError(
            f"{path}, tracklet {number}: objectType, first_frame or a pose's tx, ty, tz is missing or wrong ({error}); "
            "download the tracklets again."
        ) from error
    return label, start, positions_m
