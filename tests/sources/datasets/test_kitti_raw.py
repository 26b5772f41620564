"""KITTI's raw drives: calibration, poses and tracklets as they are downloaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.media import numbered_image, write_image
from support.raw_downloads import drive_folder, write_kitti_calibration, write_oxts, write_tracklets

from perception.errors import UsageError
from perception.sources import open_source, read_objects, read_truth
from perception.sources.dataset_formats import find_dataset
from perception.sources.datasets.kitti_odometry import VEHICLE_FROM_CAMERA
from perception.taxonomy import CLASSES

# The laser looks along x and up z; the camera stands 0.27 m ahead of it and 0.08 m below.
VELO_TO_CAM = "R: 0 -1 0 0 0 -1 1 0 0\nT: 0 -0.08 -0.27\n"
FRAMES = 6


def written(folder: Path, *, pictures: bool = False) -> Path:
    """A day with a drive, in which the car goes 1 m ahead at each frame, and a second one without any frame of note."""
    day = folder / "2011_09_26"
    velo_from_imu = np.eye(4)
    velo_from_imu[:3, 3] = (-0.81, 0.32, -0.8)
    write_kitti_calibration(day, velo_from_imu)
    (day / "calib_velo_to_cam.txt").write_text(f"calib_time: 15-Mar-2012 11:37:16\n{VELO_TO_CAM}delta_f: 0 0\n")
    numbers = "700 0 600 {} 0 700 180 0 0 0 1 0"
    (day / "calib_cam_to_cam.txt").write_text(
        "calib_time: 09-Jan-2012 13:57:47\nR_rect_00: 1 0 0 0 1 0 0 0 1\n"
        f"S_rect_02: 1242 375\nP_rect_02: {numbers.format(42)}\n"
    )
    for number in (1, 2):
        drive = drive_folder(day, number)
        poses = np.tile(np.eye(4), (FRAMES, 1, 1))
        poses[:, 0, 3] = np.arange(FRAMES)
        write_oxts(drive, poses)
        times = "".join(f"2011-09-26 13:02:25.{100 * frame:03d}000000\n" for frame in range(FRAMES))
        (drive / "oxts" / "timestamps.txt").write_text(times)
        ahead = np.column_stack([20.0 - np.arange(FRAMES), np.full(FRAMES, 3.0), np.full(FRAMES, -1.7)])
        beside = np.column_stack([np.full(3, 12.0), np.full(3, -2.0), np.full(3, -1.7)])
        write_tracklets(
            drive, [("Car", 0, ahead), ("Pedestrian", 2, beside), ("Tram", 0, ahead + np.array([20.0, 0, 0]))]
        )
        if pictures:
            for frame in range(FRAMES):
                image = np.resize(numbered_image(frame), (375, 1242, 3))
                write_image(drive / "image_02" / "data" / f"{frame:010d}.png", image)
    return day


def test_a_day_has_its_drives_and_a_drive_is_one(tmp_path: Path) -> None:
    day = written(tmp_path)
    dataset = find_dataset(day)
    assert dataset is not None and dataset.format.name == "KITTI raw"
    assert [one.drive for one in dataset.drives] == ["2011_09_26_drive_0001_sync", "2011_09_26_drive_0002_sync"]
    alone = find_dataset(day / "2011_09_26_drive_0002_sync")
    assert alone is not None and [one.drive for one in alone.drives] == ["2011_09_26_drive_0002_sync"]


def test_objects_stand_in_the_world_where_the_laser_saw_them(tmp_path: Path) -> None:
    objects = read_objects(f"{written(tmp_path)}#2011_09_26_drive_0001_sync")
    assert objects is not None
    assert [CLASSES[label] for label in objects.labels] == ["car"] * 6 + ["pedestrian"] * 3
    assert objects.timestamps_ns.tolist() == [100_000_000 * frame for frame in (*range(6), 2, 3, 4)]
    car = objects[objects.ids == 1]
    # It stands still while the car comes nearer.
    np.testing.assert_allclose(car.centres_m, np.tile(car.centres_m[0], (6, 1)), atol=1e-3)
    np.testing.assert_allclose(car.speeds_mps, 0, atol=0.02)
    in_camera = np.array([-3.0, 0.95 - 0.08, 19.73, 1])
    np.testing.assert_allclose(car.centres_m[0], (VEHICLE_FROM_CAMERA @ in_camera)[:3], atol=1e-6)
    np.testing.assert_allclose(car.sizes_lwh_m[0], [4, 1.6, 1.5])
    np.testing.assert_allclose(car.yaws_rad, 0.1, atol=1e-3)


def test_boxes_lie_around_the_projection(tmp_path: Path) -> None:
    boxes = read_truth(f"{written(tmp_path)}#2011_09_26_drive_0001_sync")
    assert boxes is not None and set(boxes.cameras.tolist()) == {"image_02"}
    assert boxes.frame_indices.tolist() == [*range(6), 2, 3, 4] and boxes.ids.tolist() == [1] * 6 + [2] * 3
    x1, y1, x2, y2 = boxes.boxes_xyxy_px[0]
    # P puts the camera 42 / 700 m to the left.
    column, row = 600 + 700 * (-3.0 + 42 / 700) / 19.73, 180 + 700 * 0.87 / 19.73
    assert x1 < column < x2 and y1 < row < y2 and 50 < x2 - x1 < 110 and 45 < y2 - y1 < 70


def test_what_is_outside_has_no_box_and_what_is_hidden_is_known(tmp_path: Path) -> None:
    day = written(tmp_path)
    path = drive_folder(day, 1) / "tracklet_labels.xml"
    marks = [
        "<occlusion>1</occlusion><truncation>0</truncation>",
        "<occlusion>0</occlusion><truncation>99</truncation>",
    ]
    text = path.read_text()
    for mark in marks:
        text = text.replace("<state>2</state>", f"<state>1</state>{mark}", 1)
    path.write_text(text)
    boxes = read_truth(f"{day}#2011_09_26_drive_0001_sync")
    assert boxes is not None and boxes.visible_shares is not None
    assert boxes.frame_indices.tolist()[:3] == [0, 2, 3] and boxes.visible_shares.tolist()[:2] == [0.5, 1.0]


def test_a_drive_with_pictures_is_a_recording(tmp_path: Path) -> None:
    source = open_source([str(written(tmp_path, pictures=True))])
    sets = list(source)
    assert source.name == "2011_09_26_drive_0001_sync" and source.rig is not None and len(sets) == FRAMES
    assert [one.timestamp_ns for one in sets][:2] == [0, 100_000_000]
    last = sets[-1].world_from_vehicle
    assert last is not None
    np.testing.assert_allclose(np.linalg.norm(last[:3, 3]), 5, atol=1e-3)
    assert any("2 drives" in note for note in source.warnings) and any("Tram" in note for note in source.warnings)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("calib_velo_to_cam.txt", "R: 1 0 0\n", "has no row R: with 9 numbers"),
        ("calib_cam_to_cam.txt", "R_rect_00: 1 0 0 0 1 0 0 0 1\nS_rect_02: 1242 375\n", "has no row P_rect_02"),
        ("2011_09_26_drive_0001_sync/oxts/data/0000000003.txt", "49 8 nan 0 0 0", "expected 6 numbers"),
        (
            "2011_09_26_drive_0001_sync/oxts/timestamps.txt",
            "2011-09-26 13:02:25\nsoon\n",
            "a date and time in each line",
        ),
        ("2011_09_26_drive_0001_sync/oxts/timestamps.txt", "2011-09-26 13:02:25\n" * 2, "line 2: is not later"),
        ("2011_09_26_drive_0001_sync/tracklet_labels.xml", "<a><tracklets>", "cannot be read as XML"),
        (
            "2011_09_26_drive_0001_sync/tracklet_labels.xml",
            "<a><tracklets><item><objectType>Car</objectType><l>1</l><w>1</w><h>0</h><first_frame>0</first_frame>"
            "</item></tracklets></a>",
            "tracklet 1: has no objectType, a size that is not positive",
        ),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, name: str, content: str, said: str) -> None:
    day = written(tmp_path)
    (day / name).write_text(content)
    with pytest.raises(UsageError, match=said) as raised:
        read_truth(f"{day}#2011_09_26_drive_0001_sync")
    assert Path(name).name in str(raised.value)


def test_frames_past_the_end_are_refused(tmp_path: Path) -> None:
    day = written(tmp_path)
    write_tracklets(drive_folder(day, 1), [("Car", 3, np.full((5, 3), 10.0))])
    with pytest.raises(UsageError, match="tracklet 1: has frames 3 to 7, but the drive has 6"):
        read_objects(f"{day}#2011_09_26_drive_0001_sync")
