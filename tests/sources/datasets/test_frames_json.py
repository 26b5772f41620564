import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.media import number_of, numbered_image, write_image

from perception.errors import UsageError
from perception.geometry.cameras import inverse_rigid, transform_points
from perception.sources import open_source, read_box_truth, read_objects, read_truth
from perception.taxonomy import CLASSES, USUAL_SIZES_LWH_M

FORWARD = [[0, 0, 1, 2], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]]
INTRINSICS = [[100, 0, 48], [0, 100, 32], [0, 0, 1]]


def pose(x: float) -> list[list[float]]:
    """A car at x along the world's y axis, looking that way."""
    return [[0, -1, 0, 50], [1, 0, 0, x], [0, 0, 1, 3], [0, 0, 0, 1]]


def content() -> dict[str, Any]:
    """Two cameras, two instants a second apart in the far future, the second camera 80 ms after the first."""
    frames: list[dict[str, Any]] = []
    for second in (0, 1):
        car = {"class": "Car", "instance": 7, "box_xyxy": [10, 20, 30, 40], "size_lwh_m": [4, 2, 1.5]}
        walker = {"class": "Person", "instance": 9, "box_xyxy": [1, 2, 3, 4]}
        left = {
            "objects": [
                {**car, "center_in_vehicle_m": [20 - second * 5, 3, 0.75]},
                {"class": "Tree", "box_xyxy": [0, 0, 9, 9]},
            ]
        }
        right = {"objects": [{**car, "center_in_vehicle_m": [20.05, 3, 0.75]}, walker]}
        for name, camera, millis in (("left", left, 250), ("right", right, 330)):
            camera |= {"timestamp": f"2463-05-15T00:38:{58 + second}.{millis}000Z", "image": f"{name}_{second}.png"}
            camera |= {"width": 96, "height": 64, "intrinsics": INTRINSICS, "vehicle_from_camera": FORWARD}
        frames.append({"cameras": {"left": left, "right": right}, "world_from_vehicle": pose(10 * second)})
    return {"source": "a test", "road_height_m": -0.2, "frames": frames}


def written(folder: Path, value: dict[str, Any]) -> str:
    folder.mkdir(exist_ok=True)
    for number in range(4):
        name = f"{('left', 'right')[number % 2]}_{number // 2}.png"
        write_image(folder / name, numbered_image(number))
    (folder / "frames.json").write_text(json.dumps(value))
    return str(folder)


def test_images_of_an_entry_belong_together(tmp_path: Path) -> None:
    source = open_source([written(tmp_path / "drive", content())])
    sets = list(source)
    assert (source.name, source.cameras, source.length, source.rate_fps) == ("drive", ("left", "right"), 2, 1.0)
    assert [[number_of(frame.image) for frame in frame_set] for frame_set in sets] == [[0, 1], [2, 3]]
    assert [frame_set.timestamp_ns for frame_set in sets] == [0, 1_000_000_000]
    assert [frame.timestamp_ns for frame in sets[1]] == [1_000_000_000, 1_080_000_000]
    assert source.rig is not None and source.rig.road_height_m == -0.2 and len(source.rig) == 2
    path = tmp_path / "drive" / "frames.json"
    assert source.warnings == [
        f"{path}: objects without instance have an identity within one instant only.",
        f"{path}: ground truth of other classes is left out: 2 Tree.",
    ]


def test_more_than_half_a_period_apart_they_still_belong_together(tmp_path: Path) -> None:
    value = content()
    value["frames"][0]["cameras"]["right"]["timestamp"] = "2463-05-15T00:38:59.150Z"
    assert [len(frame_set) for frame_set in open_source([written(tmp_path / "drive", value)])] == [2, 2]


def test_the_world_is_the_vehicle_at_the_start(tmp_path: Path) -> None:
    first, second = open_source([written(tmp_path / "drive", content())])
    np.testing.assert_allclose(first.world_from_vehicle, np.eye(4), atol=1e-12)
    assert second.world_from_vehicle is not None
    np.testing.assert_allclose(second.world_from_vehicle[:3, 3], [10, 0, 0], atol=1e-12)


def test_poses_of_cameras_stand_for_those_of_the_vehicle(tmp_path: Path) -> None:
    value = content()
    for second, frame in enumerate(value["frames"]):
        del frame["world_from_vehicle"]
        for camera in frame["cameras"].values():
            camera["world_from_camera"] = (np.array(pose(10 * second)) @ np.array(FORWARD)).tolist()
    second_set = list(open_source([written(tmp_path / "drive", value)]))[1]
    assert second_set.world_from_vehicle is not None
    np.testing.assert_allclose(second_set.world_from_vehicle[:3, 3], [10, 0, 0], atol=1e-12)


def test_boxes_and_objects(tmp_path: Path) -> None:
    folder = written(tmp_path / "drive", content())
    boxes, objects = read_truth(folder), read_objects(folder)
    assert boxes is not None and objects is not None
    assert [CLASSES[label] for label in boxes.labels] == ["car", "car", "pedestrian"] * 2
    assert boxes.frame_indices.tolist() == [0] * 3 + [1] * 3
    assert boxes.cameras.tolist() == ["left", "right", "right"] * 2
    assert boxes.ids.tolist() == [7, 7, 9] * 2
    # The car once an instant, as its first camera sees it; the pedestrian's place is unknown.
    assert objects.ids.tolist() == [7, 7] and objects.timestamps_ns.tolist() == [0, 1_000_000_000]
    np.testing.assert_allclose(objects.centres_m, [[20, 3, 0.75], [25, 3, 0.75]])
    np.testing.assert_allclose(objects.speeds_mps, [5, 5])
    np.testing.assert_allclose(objects.yaws_rad, [0, 0], atol=1e-12)
    assert objects.sizes_lwh_m.tolist() == [[4, 2, 1.5]] * 2


def test_without_instances_what_two_cameras_see_at_one_position_is_one(tmp_path: Path) -> None:
    value = content()
    for frame in value["frames"]:
        for camera in frame["cameras"].values():
            for entry in camera["objects"]:
                entry.pop("instance", None)
                entry.pop("size_lwh_m", None)
    value["frames"][1]["cameras"]["left"]["objects"][0]["yaw_in_vehicle_rad"] = 0.5
    value["frames"][0]["cameras"]["left"]["objects"] *= 2
    folder = written(tmp_path / "drive", value)
    boxes, objects = read_truth(folder), read_objects(folder)
    assert boxes is not None and objects is not None
    # left: two cars (the same camera shows two), right: the first of them, a pedestrian; then 5 m apart.
    assert boxes.ids.tolist() == [1, 2, 1, 3, 4, 5, 6]
    assert objects.ids.tolist() == [1, 2, 4, 5]
    assert objects.sizes_lwh_m.tolist() == [list(USUAL_SIZES_LWH_M[0])] * 4
    assert objects.yaws_rad.tolist() == pytest.approx([0, 0, 0.5, 0])
    assert objects.speeds_mps.tolist() == [0] * 4


def test_objects_without_poses_have_no_world_unless_there_is_but_one_instant(tmp_path: Path) -> None:
    value = content()
    for frame in value["frames"]:
        del frame["world_from_vehicle"]
    assert read_objects(written(tmp_path / "drive", value)) is None
    del value["frames"][1]
    objects = read_objects(written(tmp_path / "drive", value))
    assert objects is not None
    np.testing.assert_allclose(objects.centres_m, [[20, 3, 0.75]])


def test_a_camera_may_be_missing_and_is_named(tmp_path: Path) -> None:
    value = content()
    del value["frames"][0]["cameras"]["right"]
    source = open_source([written(tmp_path / "drive", value)])
    assert [[frame.camera for frame in frame_set] for frame_set in source] == [["left"], ["left", "right"]]
    assert "drive: camera right has no image at 1 of 2 instants." in source.warnings
    assert source.length == 2


def test_without_calibration_there_is_no_rig(tmp_path: Path) -> None:
    value = content()
    for frame in value["frames"]:
        del frame["cameras"]["left"]["intrinsics"]
    source = open_source([written(tmp_path / "drive", value)])
    assert source.rig is None and any("Without calibration: camera left" in text for text in source.warnings)


def test_a_changing_calibration_is_named(tmp_path: Path) -> None:
    value = content()
    value["frames"][1]["cameras"]["left"]["intrinsics"] = [[90, 0, 48], [0, 90, 32], [0, 0, 1]]
    source = open_source([written(tmp_path / "drive", value)])
    assert source.rig is not None and source.rig.cameras["left"].intrinsics[0, 0] == 100
    assert any("calibration of camera left changes" in text for text in source.warnings)


def test_a_listed_drive_stands_alone(tmp_path: Path) -> None:
    drive, image = written(tmp_path / "drive", content()), str(tmp_path / "drive" / "left_0.png")
    for specs in ([drive, drive], [drive, image], [image, drive]):
        with pytest.raises(UsageError, match="drive: lists which of its images belong together; give it alone"):
            open_source(specs)


def test_times_are_seconds_or_dates(tmp_path: Path) -> None:
    value = content()
    for frame, seconds in zip(value["frames"], (1532402927.5, 1532402928), strict=True):
        for name, camera in frame["cameras"].items():
            camera["timestamp"] = seconds if name == "left" else seconds + 0.04
    assert [s.timestamp_ns for s in open_source([written(tmp_path / "drive", value)])] == [0, 500_000_000]


@pytest.mark.parametrize(
    ("keys", "bad", "fault"),
    [
        (("frames", 1, "cameras", "left", "timestamp"), "noon", "frames.1.cameras.left.timestamp: 'noon' is no time"),
        (
            ("frames", 1, "cameras", "right", "timestamp"),
            "2463-05-15T00:38:58Z",
            "instant 1, the earliest image: its time stamp is not later",
        ),
        (
            ("frames", 1, "cameras", "right", "timestamp"),
            "2463-05-15T00:38:58.330Z",
            "instant 1, camera right: its time stamp is not later",
        ),
        (("frames", 1, "cameras", "left", "image"), "lost.png", "instant 1, camera left: no such image"),
        (("frames", 0, "cameras", "left", "intrinsics"), [[0, 0, 1]] * 3, "cameras.left.intrinsics: is singular"),
        (("frames", 0, "cameras", "left", "width"), 96.5, "frames.0.cameras.left.width: "),
        (("frames", 0, "cameras", "left", "width"), None, "frames.0.cameras.left: width or height is missing"),
        (
            ("frames", 0, "world_from_vehicle"),
            [[0] * 4] * 4,
            "frames.0.world_from_vehicle: the matrix: expected the last",
        ),
        (("frames", 0, "cameras"), {}, "frames.0.cameras: "),
        (("frames",), [], "frames: "),
        (
            ("frames", 0, "cameras", "left", "objects", 0, "box_xyxy"),
            [3, 0, 3, 1],
            "objects.0: box_xyxy: expected x1 < x2",
        ),
        (("frames", 0, "cameras", "left", "objects", 0, "size_lwh_m"), [3, 0, 3], "objects.0: size_lwh_m: "),
    ],
)
def test_each_fault_is_named(tmp_path: Path, keys: tuple[Any, ...], bad: object, fault: str) -> None:
    value = content()
    entry: Any = value
    for key in keys[:-1]:
        entry = entry[key]
    # The entries of one instant share their lists.
    entry[keys[-1]] = copy.deepcopy(bad)
    with pytest.raises(UsageError) as caught:
        open_source([written(tmp_path / "drive", value)])
    assert "frames.json" in str(caught.value) and fault in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("factor", [1e3, 1e6, 1e9])
@pytest.mark.parametrize("start_s", [0, 1700000000])
def test_times_in_another_unit_are_refused(tmp_path: Path, start_s: int, factor: float) -> None:
    value = content()
    for number, frame in enumerate(value["frames"]):
        for camera in frame["cameras"].values():
            camera["timestamp"] = int((start_s + number / 10) * factor)
    with pytest.raises(UsageError, match="seconds"):
        open_source([written(tmp_path / "drive", value)])


def test_an_instance_twice_in_an_image_is_refused(tmp_path: Path) -> None:
    value = content()
    objects = value["frames"][1]["cameras"]["right"]["objects"]
    objects.append({**objects[1], "box_xyxy": [5, 6, 7, 8]})
    with pytest.raises(UsageError, match=r"frames\.1\.cameras\.right\.objects: instance 9 occurs twice"):
        read_truth(written(tmp_path / "drive", value))


def test_boxes_on_images_of_another_size_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "drive", content())
    write_image(tmp_path / "drive" / "left_1.png", numbered_image(2, size_px=(192, 128)))
    with pytest.raises(UsageError, match=r"frames\.json: states 96x64 pixels, but .*left_1\.png has 192x128"):
        read_truth(folder)


def test_objects_of_the_class_ignore_are_regions(tmp_path: Path) -> None:
    value = content()
    value["frames"][1]["cameras"]["right"]["objects"].append({"class": "DontCare", "box_xyxy": [50, 6, 70, 8]})
    truth = read_box_truth(written(tmp_path / "drive", value))
    assert truth is not None and truth.ignored.boxes_xyxy_px.tolist() == [[50, 6, 70, 8]]
    assert (truth.ignored.frame_indices.tolist(), truth.ignored.cameras.tolist()) == ([1], ["right"])


def test_no_json_and_no_drive_of_that_name(tmp_path: Path) -> None:
    folder = written(tmp_path / "drive", content())
    with pytest.raises(UsageError, match=r"holds one drive only; leave #x out"):
        open_source([f"{folder}#x"])
    (tmp_path / "drive" / "frames.json").write_text("{")
    with pytest.raises(UsageError, match=r"frames\.json: cannot be read as JSON"):
        open_source([folder])


def test_a_camera_twice_in_an_instant_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "drive", content())
    path = tmp_path / "drive" / "frames.json"
    path.write_text(path.read_text().replace('"right": {', '"left": {', 1))
    with pytest.raises(UsageError, match=r"frames\.json: cannot be read as JSON \(left occurs twice\)"):
        open_source([folder])


def test_an_instant_without_a_pose_is_reported(tmp_path: Path) -> None:
    value = content()
    for frame in value["frames"]:
        frame["world_from_vehicle"] = np.eye(4).tolist()
    del value["frames"][1]["world_from_vehicle"]
    source = open_source([written(tmp_path / "drive", value)])
    assert any("1 instant without a pose of the vehicle, the first is number 1" in said for said in source.warnings)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "instants", "cameras", "boxes", "objects"),
    [("nuscenes_frame", 1, 6, 52, 42), ("ddad_01", 3, 3, 159, 119), ("ddad_02", 3, 6, 39, 39)],
)
def test_real_surround_drives(
    shared_dir: Path, name: str, instants: int, cameras: int, boxes: int, objects: int
) -> None:
    folder = shared_dir / "real" / "surround" / name
    source, truth, world = open_source([str(folder)]), read_truth(folder), read_objects(folder)
    assert source.rig is not None and truth is not None and world is not None
    assert (source.length, len(source.rig), len(truth), len(world)) == (instants, cameras, boxes, objects)
    shares = []
    for frame_set in source:
        assert len(frame_set) == cameras and frame_set.world_from_vehicle is not None
        now = world[world.timestamps_ns == frame_set.timestamp_ns]
        positions_m = transform_points(inverse_rigid(frame_set.world_from_vehicle), now.centres_m)
        for frame in frame_set:
            own = truth[(truth.cameras == frame.camera) & (truth.frame_indices == frame.index)]
            rows = [int(np.flatnonzero(now.ids == object_id)[0]) for object_id in own.ids]
            pixels, _ = source.rig.cameras[frame.camera].project(positions_m[rows])
            corners = own.boxes_xyxy_px
            shares.append((pixels - corners[:, :2]) / (corners[:, 2:] - corners[:, :2]))
    # The centre of the true object lies in the middle of its true box: calibration, poses and ids fit together.
    np.testing.assert_allclose(np.median(np.concatenate(shares), axis=0), [0.5, 0.5], atol=0.05)
    # Most of the cars that DDAD shows stand at the kerb.
    assert np.median(world.speeds_mps) < 0.01
