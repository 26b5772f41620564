from pathlib import Path

import numpy as np
import pytest
from support.media import SIZE_PX, numbered_image, write_image, write_video

from perception.errors import UsageError
from perception.geometry.cameras import Camera, Rig
from perception.geometry.distortion import undistort
from perception.sources import open_source

FORWARD = "[[0, 0, 1, 2], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]]"
INTRINSICS = "[[100, 0, 48], [0, 100, 32], [0, 0, 1]]"
CALIBRATION = f"intrinsics: {INTRINSICS}, vehicle_from_camera: {FORWARD}"


def video(path: Path, count: int = 4, *, size_px: tuple[int, int] = SIZE_PX) -> str:
    return str(write_video(path, [numbered_image(n, size_px=size_px) for n in range(count)], fps=10))


def recording(folder: Path, text: str, *, rear_frames: int = 4) -> str:
    folder.mkdir()
    video(folder / "front.mp4")
    video(folder / "rear.mp4", rear_frames)
    (folder / "recording.yaml").write_text(text)
    return str(folder)


def rig_of(*names: str, size_px: tuple[int, int] = SIZE_PX) -> Rig:
    forward = np.array([[0, 0, 1, 2.0], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]])
    intrinsics = np.array([[100, 0, size_px[0] / 2], [0, 100, size_px[1] / 2], [0, 0, 1]])
    return Rig({name: Camera(name, size_px, intrinsics, forward) for name in names}, road_height_m=0.1)


def test_a_recording_with_all_cameras_calibrated_is_a_rig(tmp_path: Path) -> None:
    source = open_source(
        [
            recording(
                tmp_path / "drive",
                f"road_height_m: -0.3\ncameras: {{front: {{video: front.mp4, {CALIBRATION}}}, "
                f"rear: {{video: rear.mp4, width: 192, height: 128, {CALIBRATION}}}}}",
            )
        ]
    )
    assert source.rig is not None and source.rig.road_height_m == -0.3
    assert list(source.rig.cameras) == ["front", "rear"] == list(source.cameras)
    # The second calibration is for images of twice the size.
    assert [camera.size_px for camera in source.rig.cameras.values()] == [(96, 64), (96, 64)]
    assert [camera.intrinsics[0, 0] for camera in source.rig.cameras.values()] == [100, 50]
    assert len(list(source)) == 4 and source.warnings == []


def test_a_camera_below_the_road_is_refused(tmp_path: Path) -> None:
    text = f"road_height_m: 2\ncameras: {{front: {{video: front.mp4, {CALIBRATION}}}}}"
    with pytest.raises(UsageError, match=r"drive: cameras\.front\.vehicle_from_camera: .* 0\.50 m below the road"):
        open_source([recording(tmp_path / "drive", text)])


@pytest.mark.parametrize("model", ["opencv", "fisheye"])
def test_images_are_undistorted_when_they_are_read(tmp_path: Path, model: str) -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    write_image(tmp_path / "0.png", image)
    entry = f"{{images: 0.png, {CALIBRATION}, distortion: [-0.2, 0.02, 0, 0], distortion_model: {model}}}"
    (tmp_path / "recording.yaml").write_text(f"cameras: {{front: {entry}}}")
    source = open_source([str(tmp_path)])
    assert source.rig is not None
    camera = source.rig.cameras["front"]
    assert (camera.distortion, camera.distortion_model) == ((-0.2, 0.02, 0, 0), model)
    ((frame,),) = source
    assert (frame.image != image).mean() > 0.5
    np.testing.assert_array_equal(frame.image, undistort(image, source.rig.cameras["front"]))


def test_one_camera_without_calibration_is_named_and_there_is_no_rig(tmp_path: Path) -> None:
    source = open_source(
        [
            recording(
                tmp_path / "drive",
                f"cameras: {{front: {{video: front.mp4, {CALIBRATION}}}, rear: {{video: rear.mp4}}}}",
            )
        ]
    )
    assert source.rig is None
    assert source.warnings == [
        "Without calibration: camera rear; so there is no rig, and all cameras count as uncalibrated."
    ]


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (f"intrinsics: {INTRINSICS}", "cameras.front: intrinsics is given, but vehicle_from_camera is missing"),
        (f"vehicle_from_camera: {FORWARD}", "cameras.front: vehicle_from_camera is given, but intrinsics is missing"),
        ("distortion: [0.1, 0, 0, 0]", "cameras.front: distortion is given, but intrinsics is missing"),
        (f"{CALIBRATION}, width: 96", "cameras.front: width is given, but height is missing"),
        (CALIBRATION.replace("100", "0"), "cameras.front.intrinsics: is singular"),
        (CALIBRATION.replace("100", ".nan"), "cameras.front.intrinsics.0.0: "),
        (f"{CALIBRATION}, width: 64, height: 64", "camera front: width, height: the calibration is for 64x64 pixels"),
        (f"{CALIBRATION}, width: 96.5, height: 64", "cameras.front.width: "),
        (CALIBRATION + "}, front: {video: rear.mp4", "front occurs twice"),
    ],
)
def test_a_fault_in_the_calibration_is_named(tmp_path: Path, entry: str, fault: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_source([recording(tmp_path / "drive", f"cameras: {{front: {{video: front.mp4, {entry}}}}}")])
    assert fault in str(caught.value) and "\n" not in str(caught.value)


def test_a_rig_is_given_to_videos_by_name_or_order(tmp_path: Path) -> None:
    specs = [video(tmp_path / "front.mp4"), video(tmp_path / "rear.mp4")]
    by_name = open_source(specs, rig=rig_of("rear", "front"))
    by_order = open_source(specs, rig=rig_of("a", "b", size_px=(192, 128)))
    for source in (by_name, by_order):
        assert source.rig is not None and list(source.rig.cameras) == ["front", "rear"]
        assert source.rig.road_height_m == 0.1 and source.rig.cameras["front"].size_px == SIZE_PX
        assert len(list(source)) == 4
    assert by_name.warnings == []
    assert by_order.warnings == ["The rig's cameras were taken in their order: front is a, rear is b."]
    with pytest.raises(UsageError, match="the rig has left, the source has not"):
        open_source(specs, rig=rig_of("front", "rear", "left"))
    with pytest.raises(UsageError, match=r"camera front: .*for 64x64 pixels, the images have 96x64"):
        open_source(specs, rig=rig_of("front", "rear", size_px=(64, 64)))


def test_a_given_rig_replaces_that_of_the_recording(tmp_path: Path) -> None:
    folder = recording(tmp_path / "drive", f"cameras: {{front: {{video: front.mp4, {CALIBRATION}}}}}")
    source = open_source([folder], rig=rig_of("front"))
    assert source.rig is not None and source.rig.road_height_m == 0.1


def test_an_image_of_another_size_is_refused_when_it_comes(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "0.png", numbered_image(0))
    write_image(tmp_path / "images" / "1.png", numbered_image(1, size_px=(64, 64)))
    frames = iter(open_source([str(tmp_path / "images")], rig=rig_of("front")))
    assert next(frames).frames[0].size_px == SIZE_PX
    with pytest.raises(UsageError, match="camera images, image 1: has 64x64 pixels, the images before had 96x64"):
        next(frames)


def test_a_shorter_video_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    folder = recording(
        tmp_path / "drive", "cameras: {front: {video: front.mp4}, rear: {video: rear.mp4}}", rear_frames=1
    )
    source = open_source([folder])
    assert [len(frame_set) for frame_set in source] == [2, 1, 1, 1]
    assert source.warnings == ["drive: camera rear has no image at 3 of 4 instants."]
    assert len(list(source)) == 4 and len(source.warnings) == 1


def test_a_slower_camera_lacks_nothing(tmp_path: Path) -> None:
    write_image(tmp_path / "slow" / "0.png", numbered_image(0))
    specs = [video(tmp_path / "front.mp4", 1), str(tmp_path / "slow")]
    source = open_source(specs)
    assert [len(frame_set) for frame_set in source] == [2] and source.warnings == []


def test_no_pose_is_made_up_in_a_gap(tmp_path: Path) -> None:
    folder = tmp_path / "drive"
    folder.mkdir()
    video(folder / "front.mp4", 14)
    (folder / "recording.yaml").write_text("cameras: {front: {video: front.mp4}}")
    known = [0, 1, 2, 3, 11, 12, 13]
    rows = "".join(f"{n * 100_000_000},{n},0,0,1,0,0,0\n" for n in known)
    (folder / "poses.csv").write_text("timestamp_ns,x,y,z,qw,qx,qy,qz\n" + rows)
    source = open_source([str(folder)])
    poses = {frame_set.index: frame_set.world_from_vehicle for frame_set in source}
    assert [index for index, pose in poses.items() if pose is not None] == known
    assert poses[3] is not None and poses[3][0, 3] == pytest.approx(3)
    assert source.warnings == ["drive: 7 instants without a pose of the vehicle, the first is number 4."]


def test_slow_poses_and_short_gaps_are_bridged(tmp_path: Path) -> None:
    folder = tmp_path / "drive"
    folder.mkdir()
    video(folder / "front.mp4", 11)
    (folder / "recording.yaml").write_text("cameras: {front: {video: front.mp4}}")
    for seconds in ([0, 0.1, 0.2, 0.6, 1], [0, 1, 2]):
        rows = "".join(f"{round(s * 1e9)},{s},0,0,1,0,0,0\n" for s in seconds)
        (folder / "poses.csv").write_text("timestamp_ns,x,y,z,qw,qx,qy,qz\n" + rows)
        found = [frame_set.world_from_vehicle for frame_set in open_source([str(folder)])]
        np.testing.assert_allclose([pose[0, 3] for pose in found if pose is not None], np.arange(11) / 10, atol=1e-9)
