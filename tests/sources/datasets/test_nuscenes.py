import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.media import numbered_image, write_image

from perception.errors import UsageError
from perception.geometry.cameras import inverse_rigid, transform_points
from perception.geometry.cuboids import corners_of, frames_around
from perception.sources import open_source, read_objects, read_truth
from perception.sources.rigs import read_rig
from perception.taxonomy import CLASSES

START_US = 1_532_402_927_000_000
# The town's coordinates at the start, where the car looks north.
START_M = np.array([411.0, 1180.0, 0.0])
NORTH = Rotation.from_euler("z", 90, degrees=True)
CAMERA_WXYZ = {
    "CAM_FRONT": [0.5, -0.5, 0.5, -0.5],
    "CAM_BACK": [0.5, -0.5, -0.5, 0.5],
}
CATEGORIES = ("vehicle.car", "human.pedestrian.adult", "movable_object.barrier")


def wxyz(rotation: Rotation) -> list[float]:
    x, y, z, w = rotation.as_quat().tolist()
    return [w, x, y, z]


def tables() -> dict[str, list[dict[str, Any]]]:
    """Two scenes of two key frames, two cameras and a laser; the car drives 5 m in each half second."""
    sensors = [{"token": f"s-{name}", "channel": name, "modality": "camera"} for name in CAMERA_WXYZ]
    sensors.append({"token": "s-LIDAR_TOP", "channel": "LIDAR_TOP", "modality": "lidar"})
    calibrated = [
        {
            "token": f"c-{name}",
            "sensor_token": f"s-{name}",
            "translation": [1.7 if name == "CAM_FRONT" else 0.0, 0, 1.5],
            "rotation": CAMERA_WXYZ.get(name, [1, 0, 0, 0]),
            "camera_intrinsic": [[100, 0, 48], [0, 100, 32], [0, 0, 1]] if name in CAMERA_WXYZ else [],
        }
        for name in (*CAMERA_WXYZ, "LIDAR_TOP")
    ]
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("sample", "sample_data", "ego_pose", "sample_annotation")
    }
    for scene in (0, 1):
        for number in (0, 1):
            token, time_us = f"{scene}-{number}", START_US + 60_000_000 * scene + 500_000 * number
            rows["sample"].append({"token": token, "scene_token": f"scene-{scene}", "timestamp": time_us})
            for delay_us, name in enumerate((*CAMERA_WXYZ, "LIDAR_TOP")):
                for is_key_frame in (True, False):
                    key = f"{token}-{name}-{is_key_frame}"
                    row = {"token": key, "sample_token": token, "ego_pose_token": key, "is_key_frame": is_key_frame}
                    row |= {"timestamp": time_us - 40_000 + 15_000 * delay_us, "calibrated_sensor_token": f"c-{name}"}
                    row |= {"width": 96, "height": 64, "filename": f"samples/{name}/{token}.jpg"}
                    rows["sample_data"].append(row)
                    position = START_M + np.array([0, 5.0 * number, 0])
                    rows["ego_pose"].append({"token": key, "translation": position.tolist(), "rotation": wxyz(NORTH)})
            for category, (ahead_m, left_m) in enumerate(((20 + 4 * number, 2), (-15, 0), (30, 0))):
                position = START_M + NORTH.apply([ahead_m, left_m, 0.75])
                rows["sample_annotation"].append(
                    {
                        "sample_token": token,
                        "instance_token": f"i-{category}",
                        "visibility_token": "2",
                        "translation": position.tolist(),
                        "size": [1.8, 4.5, 1.5],
                        "rotation": wxyz(NORTH * Rotation.from_euler("z", 0.3)),
                    }
                )
    return rows | {
        "scene": [{"token": f"scene-{n}", "name": f"scene-006{n}"} for n in (0, 1)],
        "sensor": sensors,
        "calibrated_sensor": calibrated,
        "category": [{"token": f"k-{n}", "name": name} for n, name in enumerate(CATEGORIES)],
        "instance": [{"token": f"i-{n}", "category_token": f"k-{n}"} for n in range(3)],
    }


def written(folder: Path, content: dict[str, list[dict[str, Any]]]) -> str:
    (folder / "v1.0-mini").mkdir(parents=True)
    for name, rows in content.items():
        (folder / "v1.0-mini" / f"{name}.json").write_text(json.dumps(rows))
    for number, row in enumerate(row for row in content["sample_data"] if "CAM" in row["filename"]):
        write_image(folder / row["filename"], numbered_image(number % 4))
    return str(folder)


def test_a_scene_is_a_recording(tmp_path: Path) -> None:
    folder = written(tmp_path / "nuscenes", tables())
    source = open_source([folder])
    sets = list(source)
    assert (source.name, source.cameras, source.length) == ("scene-0060", ("CAM_FRONT", "CAM_BACK"), 2)
    assert source.rate_fps == pytest.approx(2)
    assert [frame_set.timestamp_ns for frame_set in sets] == [0, 500_000_000]
    assert [frame.timestamp_ns for frame in sets[1]] == [500_000_000, 515_000_000]
    np.testing.assert_allclose(sets[0].world_from_vehicle, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(sets[1].world_from_vehicle[:3, 3], [5, 0, 0], atol=1e-9)
    assert source.rig is not None
    ahead, _ = source.rig.cameras["CAM_FRONT"].project(np.array([11.7, 0, 1.5]))
    np.testing.assert_allclose(ahead, [48, 32], atol=1e-6)
    assert source.warnings == [
        f"{folder}: scene-0060 is the first of 2 scenes; for another one give {folder}#scene-0061.",
        f"{folder}/v1.0-mini: ground truth of other classes is left out: 2 movable_object.barrier.",
    ]
    other = open_source([f"{folder}#scene-0061"])
    assert other.name == "scene-0061" and len(list(other)) == 2 and len(other.warnings) == 1


def test_objects_of_a_scene(tmp_path: Path) -> None:
    objects = read_objects(written(tmp_path / "nuscenes", tables()) + "#scene-0061")
    assert objects is not None
    assert objects.timestamps_ns.tolist() == [0, 0, 500_000_000, 500_000_000]
    assert [CLASSES[label] for label in objects.labels] == ["car", "pedestrian"] * 2
    assert objects.ids.tolist() == [1, 2, 1, 2]
    np.testing.assert_allclose(objects.centres_m[[0, 1, 2]], [[20, 2, 0.75], [-15, 0, 0.75], [24, 2, 0.75]], atol=1e-9)
    np.testing.assert_allclose(objects.sizes_lwh_m, [[4.5, 1.8, 1.5]] * 4)
    np.testing.assert_allclose(objects.yaws_rad, 0.3)
    np.testing.assert_allclose(objects.speeds_mps, [8, 0, 8, 0], atol=1e-9)


def test_boxes_of_a_scene_are_those_around_the_projection(tmp_path: Path) -> None:
    folder = written(tmp_path / "nuscenes", tables())
    boxes, objects, source = read_truth(folder), read_objects(folder), open_source([folder])
    assert boxes is not None and objects is not None and source.rig is not None
    assert boxes.cameras.tolist() == ["CAM_FRONT", "CAM_BACK"] * 2
    assert boxes.frame_indices.tolist() == [0, 0, 1, 1] and boxes.ids.tolist() == [1, 2, 1, 2]
    assert boxes.visible_shares is not None and boxes.visible_shares.tolist() == [0.5] * 4
    second = list(source)[1].world_from_vehicle
    assert second is not None
    rotation = Rotation.from_euler("z", 0.3).as_matrix()[None]
    corners = corners_of(objects.centres_m[2:3], rotation, objects.sizes_lwh_m[2:3])
    pixels, _ = source.rig.cameras["CAM_FRONT"].project(transform_points(inverse_rigid(second), corners[0]))
    np.testing.assert_allclose(boxes.boxes_xyxy_px[2], [*pixels.min(axis=0), *pixels.max(axis=0)], atol=1e-6)


def test_a_frame_is_cut_at_the_image_and_at_the_camera() -> None:
    camera = read_rig("front").cameras["CAM_FRONT"]
    sizes = np.array([[4.0, 2, 1.5]] * 4)
    centres = np.array([[12.0, 0, 0.75], [12.0, 8, 0.75], [2.5, 2, 0.75], [-9.0, 0, 0.75]])
    boxes = frames_around(corners_of(centres, np.repeat(np.eye(3)[None], 4, axis=0), sizes), camera)
    # Its rear, the larger end, is 8.3 m ahead, 2 m wide, and reaches from the road to the camera's height.
    scale = camera.intrinsics[0, 0] / 8.3
    np.testing.assert_allclose(boxes[0], [800 - scale, 450, 800 + scale, 450 + 1.5 * scale])
    assert boxes[1, 0] == 0 and 0 < boxes[1, 2] < 800
    # Beside the camera, half of it behind: it reaches the border of the image.
    assert boxes[2, 0] == 0 and boxes[2, 3] == 900
    np.testing.assert_allclose(boxes[2, 2], 800 - camera.intrinsics[0, 0] * 1 / 2.8)
    assert np.isnan(boxes[3]).all()
    assert frames_around(np.zeros((0, 8, 3)), camera).shape == (0, 4)


def test_faults_name_the_table(tmp_path: Path) -> None:
    folder = written(tmp_path / "a", tables())
    with pytest.raises(UsageError, match="a#scene-0099: no such scene; give one of scene-0060, scene-0061"):
        open_source([f"{folder}#scene-0099"])
    (tmp_path / "a" / "v1.0-mini" / "ego_pose.json").unlink()
    with pytest.raises(UsageError, match=r"ego_pose\.json: cannot be read"):
        read_truth(folder)
    with pytest.raises(UsageError, match="own clock"):
        open_source([folder], rate_fps=2)

    singular = tables()
    singular["calibrated_sensor"][0]["camera_intrinsic"] = [[0, 0, 48], [0, 100, 32], [0, 0, 1]]
    with pytest.raises(UsageError, match=r"calibrated_sensor\.json: cameras\.CAM_FRONT\.intrinsics: is singular"):
        open_source([written(tmp_path / "b", singular)])

    incomplete = tables()
    incomplete["ego_pose"].pop(0)
    with pytest.raises(UsageError, match=r"v1\.0-mini: the tables do not fit together"):
        open_source([written(tmp_path / "c", incomplete)])

    for number, (table, key, wrong) in enumerate(
        [
            ("sample_data", "timestamp", "noon"),
            ("calibrated_sensor", "rotation", [0, 0, 0, 0]),
            ("ego_pose", "rotation", [1, 0, 0]),
            ("ego_pose", "translation", [1, 2]),
        ]
    ):
        odd = tables()
        for row in odd[table]:
            row[key] = wrong
        with pytest.raises(UsageError, match=r"a row holds what cannot be right|is no number of JSON"):
            open_source([written(tmp_path / f"odd-{number}", odd)])

    lost = Path(written(tmp_path / "d", tables()))
    (lost / "samples" / "CAM_BACK" / "0-1.jpg").unlink()
    with pytest.raises(UsageError, match="instant 1, camera CAM_BACK: no such image"):
        open_source([str(lost)])


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("sample_annotation", "rotation", [1, "half", 0, 0]),
        ("sample_annotation", "rotation", [1, 0, 0]),
        ("sample_annotation", "size", [1.8, 4, "9999-12-31T23:59:59Z"]),
        ("sample_annotation", "size", [1.8, 4, 0]),
        ("sample_annotation", "translation", [1, float("nan"), 0]),
        ("sample_annotation", "rotation", None),
        ("ego_pose", "translation", [100, 200, float("inf")]),
    ],
)
def test_numbers_that_cannot_be_are_refused_when_the_folder_is_opened(
    tmp_path: Path, table: str, key: str, value: Any
) -> None:
    content = tables()
    content[table][0][key] = value
    with pytest.raises(UsageError, match=r"a row holds what cannot be right|is no number of JSON"):
        open_source([written(tmp_path, content)])


def test_an_instance_twice_in_a_sample_is_refused(tmp_path: Path) -> None:
    content = tables()
    content["sample_annotation"].append(dict(content["sample_annotation"][0]))
    with pytest.raises(UsageError, match=r"sample_annotation\.json: instance i-0 occurs twice in sample 0-0"):
        read_truth(written(tmp_path / "nuscenes", content))


def test_images_of_another_size_than_the_tables_state_are_refused(tmp_path: Path) -> None:
    folder = Path(written(tmp_path / "nuscenes", tables()))
    write_image(folder / "samples" / "CAM_BACK" / "0-1.jpg", numbered_image(1, size_px=(48, 32)))
    with pytest.raises(UsageError, match=r"sample_data\.json: states 96x64 pixels, but .*0-1\.jpg has 48x32"):
        read_truth(str(folder))


def test_times_in_another_unit_are_refused(tmp_path: Path) -> None:
    content = tables()
    for name in ("sample", "sample_data"):
        for row in content[name]:
            row["timestamp"] *= 1000
    with pytest.raises(UsageError, match=r"gives 0\.002 frames per second.*give the times in microseconds"):
        open_source([written(tmp_path / "nuscenes", content)])


def test_a_scene_without_annotations_has_no_truth(tmp_path: Path) -> None:
    content = tables()
    content["sample_annotation"] = []
    folder = written(tmp_path / "nuscenes", content)
    assert read_truth(folder) is None and read_objects(folder) is None


def test_a_recording_written_into_the_folder_comes_first(tmp_path: Path) -> None:
    folder = written(tmp_path / "nuscenes", tables())
    (tmp_path / "nuscenes" / "recording.yaml").write_text("cameras: {ahead: {images: 'samples/CAM_FRONT/*.jpg'}}")
    assert open_source([folder]).cameras == ("ahead",)
