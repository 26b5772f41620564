from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.media import SIZE_PX, numbered_image, write_image, write_video

from perception.errors import UsageError
from perception.geometry.cameras import yaw_rad
from perception.sources import open_source, read_box_truth, read_objects, read_truth
from perception.sources.datasets.kitti_odometry import VEHICLE_FROM_CAMERA
from perception.taxonomy import CLASSES
from perception.types import ANY_LABEL

LEFT = "100 0 48 0 0 100 32 0 0 0 1 0"
RIGHT = "100 0 48 -50 0 100 32 0 0 0 1 0"
STILL = "1 0 0 0 0 1 0 0 0 0 1 0"
IMU = (
    "Tr_velo_cam 0 -1 0 0 0 0 -1 -0.08 1 0 0 -0.27\nTr_imu_velo 1 0 0 -0.81 0 1 0 0 0 0 1 -0.8\n"
    "R_rect 1 0 0 0 1 0 0 0 1\n"
)


def odometry(folder: Path, *, calib: str = f"P0: {LEFT}\nP1: {RIGHT}\n", frames: int = 3) -> str:
    for number in range(frames):
        grey = np.full((SIZE_PX[1], SIZE_PX[0], 3), 40 * number, np.uint8)
        write_image(folder / "image_0" / f"{number:06d}.png", grey)
        write_image(folder / "image_1" / f"{number:06d}.png", grey)
    (folder / "calib.txt").write_text(calib)
    return str(folder)


def tracking(folder: Path, *, with_images: bool = True) -> str:
    """Two drives of three frames: the car goes 2 m ahead in each; a car stands 20 m ahead of its start, 3 m left."""
    for name in ("calib", "label_02", "oxts"):
        (folder / name).mkdir(parents=True)
    for drive in ("0000", "0004"):
        (folder / "calib" / f"{drive}.txt").write_text(f"P0: {LEFT}\nP1: {RIGHT}\nP2: {LEFT}\nP3: {RIGHT}\n{IMU}")
        labels, oxts = "", ""
        for frame in range(3):
            if with_images:
                write_image(folder / "image_02" / drive / f"{frame:06d}.png", numbered_image(frame))
            ahead_m = 20 - 2 * frame
            labels += f"{frame} -1 DontCare -1 -1 -10 1 2 3 4 -1000 -1000 -1000 -10 -1 -1 -1\n"
            labels += f"{frame} 5 Van 0 0 0 10 20 30 40 1.5 1.8 4.5 -3 1.65 {ahead_m} {-np.pi / 2}\n"
            labels += f"{frame} 6 Tram 0 0 0 10 20 30 40 3 3 30 0 1.65 50 0\n"
            # East, so that the world's x grows with the longitude.
            longitude = np.degrees(2 * frame / (6378137.0 * np.cos(np.radians(49))))
            oxts += f"49 {8 + longitude:.12f} 112 0 0 0 0 0\n"
        (folder / "label_02" / f"{drive}.txt").write_text(labels)
        (folder / "oxts" / f"{drive}.txt").write_text(oxts)
    return str(folder)


def test_odometry_is_a_calibrated_recording(tmp_path: Path) -> None:
    folder = odometry(tmp_path / "00")
    turned = Rotation.from_euler("y", 10, degrees=True).as_matrix()
    poses = [np.eye(4), np.eye(4), np.eye(4)]
    poses[1][:3, 3], poses[2][:3, 3], poses[2][:3, :3] = [0, 0, 1.5], [0.1, 0, 3], turned
    rows = [" ".join(f"{value:.9e}" for value in pose[:3].ravel()) for pose in poses]
    (tmp_path / "00" / "poses.txt").write_text("\n".join(rows))
    (tmp_path / "00" / "times.txt").write_text("0.0\n1.036e-01\n2.073e-01\n")
    source = open_source([folder])
    sets = list(source)
    assert (source.name, source.cameras, source.length) == ("00", ("image_0", "image_1"), 3)
    assert [frame_set.timestamp_ns for frame_set in sets] == [0, 103_600_000, 207_300_000]
    assert sets[2].frames[1].image[0, 0].tolist() == [80, 80, 80]
    np.testing.assert_allclose(sets[0].world_from_vehicle, np.eye(4), atol=1e-9)
    # The camera's axis points a little above the vehicle's.
    np.testing.assert_allclose(sets[1].world_from_vehicle[:3, 3], [1.5, 0, 0], atol=0.02)
    yaw_deg = Rotation.from_matrix(sets[2].world_from_vehicle[:3, :3]).as_euler("ZYX", degrees=True)[0]
    assert yaw_deg == pytest.approx(-10, abs=1e-2)
    assert source.rig is not None
    left, right = source.rig.cameras.values()
    np.testing.assert_allclose(left.position_m, [1.03, 0, 1.65])
    np.testing.assert_allclose(right.position_m, [1.03, -0.5, 1.65])
    assert read_truth(folder) is None and read_objects(folder) is None
    assert len(source.warnings) == 1 and "1.65 m above the road" in source.warnings[0]


def test_a_stereo_pair_of_videos_with_bare_rows(tmp_path: Path) -> None:
    for name in ("left", "right"):
        write_video(tmp_path / f"{name}.mp4", [numbered_image(n) for n in range(2)], fps=10)
    (tmp_path / "calib.txt").write_text(f"{LEFT}\n{RIGHT}")
    source = open_source([str(tmp_path)])
    assert [len(frame_set) for frame_set in source] == [2, 2] and source.cameras == ("left", "right")
    assert source.rig is not None and source.rig.cameras["right"].position_m[1] == pytest.approx(-0.5)
    assert [s.timestamp_ns for s in open_source([str(tmp_path)], rate_fps=4)] == [0, 250_000_000]


def test_the_camera_looks_ahead() -> None:
    ahead, up, left = np.eye(3)[0], np.eye(3)[2], np.eye(3)[1]
    right_of, down_of, forward_of = VEHICLE_FROM_CAMERA[:3, :3].T
    np.testing.assert_allclose(right_of, -left)
    assert forward_of @ ahead > 0.999 and down_of @ up < -0.999
    np.testing.assert_allclose(VEHICLE_FROM_CAMERA[:3, :3] @ VEHICLE_FROM_CAMERA[:3, :3].T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("calib.txt", "P0: 1 2 3\n", "calib.txt, line 1, P0: expected 9 or 12 numbers"),
        ("calib.txt", "P0: one\n", "calib.txt, line 1, P0: expected 9 or 12 numbers"),
        ("calib.txt", "Tr: " + STILL, "calib.txt: has no projection P0"),
        ("calib.txt", "P0: 0 0 0 0 0 0 0 0 0 0 0 0\n", "the projection of camera image_0 is singular"),
        ("times.txt", "0\n0.1\n0.1\n", "times.txt, line 3, column seconds: not later than the row before"),
        ("times.txt", "-9223372036854775808\n0\n1\n", "times.txt, line 1, column seconds: beyond all that is measured"),
        ("times.txt", "0\n0.1\n", "times.txt: holds 2 times for the 3 frames of camera image_0"),
        ("poses.txt", STILL + "\n1 0 0\n", "poses.txt, line 2, column r1c4: is missing"),
        ("poses.txt", STILL + "\n" + "0 " * 12, "poses.txt, line 2, column r1c1: no rotation"),
        ("poses.txt", STILL.replace("1", "x"), "poses.txt, line 1, column r1c1: not a number"),
        ("poses.txt", "", "poses.txt: has no rows"),
    ],
)
def test_each_fault_is_named(tmp_path: Path, name: str, text: str, fault: str) -> None:
    folder = odometry(tmp_path / "00")
    (tmp_path / "00" / name).write_text(text)
    with pytest.raises(UsageError) as caught:
        open_source([folder])
    assert fault in str(caught.value)


def test_fewer_poses_than_frames_leave_the_rest_without(tmp_path: Path) -> None:
    folder = odometry(tmp_path / "00")
    (tmp_path / "00" / "poses.txt").write_text(f"{STILL}\n{STILL}\n")
    source = open_source([folder])
    assert [frame_set.world_from_vehicle is None for frame_set in source] == [False, False, True]
    assert "00: 1 instant without a pose of the vehicle, the first is number 2." in source.warnings


def test_tracking_with_its_labels(tmp_path: Path) -> None:
    folder = tracking(tmp_path / "training")
    source, boxes, objects = open_source([folder]), read_truth(folder), read_objects(folder)
    sets = list(source)
    assert (source.name, source.cameras, source.length, source.rate_fps) == ("0000", ("image_02",), 3, 10)
    np.testing.assert_allclose([s.world_from_vehicle[0, 3] for s in sets], [0, 2, 4], atol=1e-2)
    assert any(f"0000 is the first of 2 drives; for another one give {folder}#0004" in text for text in source.warnings)
    assert any("other classes is left out: 3 Tram." in text for text in source.warnings)
    assert boxes is not None and boxes.frame_indices.tolist() == [0, 1, 2] and boxes.ids.tolist() == [5] * 3
    assert boxes.boxes_xyxy_px.tolist() == [[10, 20, 30, 40]] * 3 and CLASSES[boxes.labels[0]] == "car"
    assert objects is not None and objects.timestamps_ns.tolist() == [0, 100_000_000, 200_000_000]
    # The same position in the world three times, but for the camera's small angle.
    np.testing.assert_allclose(objects.centres_m, [[21.03, 3, 0.75]] * 3, atol=0.2)
    np.testing.assert_allclose(objects.yaws_rad, 0, atol=1e-6)
    np.testing.assert_allclose(objects.sizes_lwh_m, [[4.5, 1.8, 1.5]] * 3)
    np.testing.assert_allclose(objects.speeds_mps, 0, atol=0.05)


def test_a_drive_of_the_tracking_set_by_its_name(tmp_path: Path) -> None:
    folder = tracking(tmp_path / "training")
    assert open_source([f"{folder}#0004"]).name == "0004"
    with pytest.raises(UsageError, match="training#0009: no such drive; give one of 0000, 0004"):
        open_source([f"{folder}#0009"])


def test_labels_without_images_are_read_all_the_same(tmp_path: Path) -> None:
    folder = tracking(tmp_path / "training", with_images=False)
    assert read_truth(folder) is not None and read_objects(f"{folder}#0004") is not None
    with pytest.raises(UsageError, match=r"image_02/0000: has no images"):
        open_source([folder])
    (tmp_path / "training" / "calib" / "0000.txt").write_text(f"P0: {LEFT}\n")
    with pytest.raises(UsageError, match=r"0000\.txt: has no Tr_imu_velo"):
        read_objects(folder)
    (tmp_path / "training" / "label_02" / "0000.txt").write_text("0 5 Car 0 0 0 30 20 10 40 1 1 1 0 0 9 0\n")
    with pytest.raises(UsageError, match=r"0000\.txt, line 1, column x2: must be greater than x1"):
        read_truth(folder)


def test_dontcare_is_a_region_to_ignore(tmp_path: Path) -> None:
    truth = read_box_truth(tracking(tmp_path / "training"))
    assert truth is not None and truth.ignored.frame_indices.tolist() == [0, 1, 2]
    assert truth.ignored.boxes_xyxy_px.tolist() == [[1, 2, 3, 4]] * 3
    assert truth.ignored.labels.tolist() == [ANY_LABEL] * 3 and not truth.ignored.is_object.any()


def test_an_id_twice_in_a_frame_is_refused(tmp_path: Path) -> None:
    folder = tracking(tmp_path / "training")
    path = tmp_path / "training" / "label_02" / "0000.txt"
    path.write_text(path.read_text() + "2 5 Car 0 0 0 10 20 30 40 1.5 1.8 4.5 -3 1.65 9 0\n")
    for read in (read_truth, read_objects):
        with pytest.raises(UsageError, match=r"0000\.txt, line 10, column id: occurs twice in this frame"):
            read(folder)


def test_times_in_another_unit_are_refused(tmp_path: Path) -> None:
    folder = odometry(tmp_path / "00")
    (tmp_path / "00" / "times.txt").write_text("0\n100\n200\n")
    with pytest.raises(UsageError, match=r"times\.txt: gives 0\.01 frames per second.*give seconds"):
        open_source([folder])


@pytest.mark.shared
def test_the_real_stereo_drive(shared_dir: Path) -> None:
    source = open_source([str(shared_dir / "real" / "stereo_drive")], stride=25)
    assert source.rig is not None and source.cameras == ("left", "right")
    poses = [frame_set.world_from_vehicle for frame_set in source]
    assert len(poses) == 3 and all(pose is not None for pose in poses)
    # Within five seconds the car turns to the right, by the 98 degrees of the last of KITTI's own poses.
    assert poses[2] is not None and poses[2][0, 3] > 20 and poses[2][1, 3] < -20
    assert np.degrees(yaw_rad(poses[2])) == pytest.approx(-98, abs=1)


@pytest.mark.shared
@pytest.mark.parametrize("drive", ["0000", "0004", "0011", "0012"])
def test_real_labels_stand_on_the_road(shared_dir: Path, drive: str) -> None:
    objects = read_objects(f"{shared_dir / 'real' / 'kitti_tracking'}#{drive}")
    assert objects is not None
    at_start = objects[objects.timestamps_ns == 0]
    near = at_start[at_start.centres_m[:, 0] < 40]
    bottoms_m = near.centres_m[:, 2] - near.sizes_lwh_m[:, 2] / 2
    assert abs(np.median(bottoms_m)) < 0.4
    assert 0 < objects.speeds_mps.max() < 20
