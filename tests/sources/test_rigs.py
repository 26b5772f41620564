from pathlib import Path

import numpy as np
import pytest
import yaml

from perception.errors import UsageError
from perception.geometry.cameras import Camera, Rig
from perception.sources import bundled_rigs, read_rig
from perception.sources.rigs import fit_rig, match_rig

FRONT = """
  front:
    width: 96
    height: 64
    intrinsics: [[100, 0, 48], [0, 100, 32], [0, 0, 1]]
    vehicle_from_camera: [[0, 0, 1, 2], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]]
"""


def rig_of(*names: str) -> Rig:
    forward = np.array([[0, 0, 1, 2.0], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]])
    return Rig({name: Camera(name, (96, 64), np.diag([100.0 + n, 100, 1]), forward) for n, name in enumerate(names)})


def written(folder: Path, text: str) -> Path:
    path = folder / "rig.yaml"
    path.write_text(text)
    return path


def test_a_rig_file_is_read(tmp_path: Path) -> None:
    rig = read_rig(written(tmp_path, "road_height_m: -0.3\ncameras:" + FRONT))
    camera = rig.cameras["front"]
    assert (rig.road_height_m, camera.size_px, camera.position_m.tolist()) == (-0.3, (96, 64), [2, 0, 1.5])
    assert camera.intrinsics.tolist() == [[100, 0, 48], [0, 100, 32], [0, 0, 1]]


def test_the_bundled_rigs_are_what_they_state() -> None:
    six = read_rig("surround-six")
    assert set(bundled_rigs()) >= {"surround-six", "front", "dashboard"}
    assert list(six.cameras) == [
        *("CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_BACK_RIGHT", "CAM_BACK", "CAM_BACK_LEFT", "CAM_FRONT_LEFT")
    ]
    assert {camera.size_px for camera in six.cameras.values()} == {(1600, 900)}
    np.testing.assert_array_equal(
        read_rig("front").cameras["CAM_FRONT"].vehicle_from_camera, six.cameras["CAM_FRONT"].vehicle_from_camera
    )
    assert read_rig("dashboard").cameras["webcam"].position_m[2] == 1.25


def test_six_cameras_see_all_around_and_mirror_each_other() -> None:
    six = read_rig("surround-six").cameras
    angles = np.radians(np.arange(0, 360, 2))
    horizon = np.stack([1000 * np.cos(angles), 1000 * np.sin(angles), np.full_like(angles, 1.5)], axis=1)
    seen = np.zeros(len(angles), bool)
    for camera in six.values():
        pixels, depths_m = camera.project(horizon)
        seen |= (depths_m > 0) & (pixels[:, 0] >= 0) & (pixels[:, 0] < 1600)
    assert seen.all()
    ahead = np.array([[20.0, 3, 1]])
    left, right = (
        six[f"CAM_FRONT_{side}"].project(ahead * [1, sign, 1])[0] for side, sign in (("LEFT", 1), ("RIGHT", -1))
    )
    np.testing.assert_allclose(left[0], [1600 - right[0, 0], right[0, 1]], atol=1e-2)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("cameras:" + FRONT.replace("width: 96", "wide: 96"), "cameras.front.width: is missing"),
        ("cameras:" + FRONT + "    lens: 3\n", "cameras.front.lens: unknown key"),
        ("cameras:" + FRONT + FRONT, "line 8: cannot be read as YAML (front occurs twice)"),
        ("cameras:" + FRONT.replace("96", "96.5"), "cameras.front.width: "),
        ("cameras:" + FRONT.replace("96", "-96"), "cameras.front.width: "),
        ("cameras:" + FRONT.replace("96", "99999999999999999999"), "cameras.front.width: "),
        ("cameras:" + FRONT.replace("width: 96", "width: 4"), "cameras.front.width, height: expected at least 8"),
        ("cameras:" + FRONT.replace("[100, 0, 48]", "[.nan, 0, 48]"), "cameras.front.intrinsics.0.0: "),
        ("cameras:" + FRONT.replace("[100, 0, 48]", "[100, 0]"), "cameras.front.intrinsics.0: "),
        ("cameras:" + FRONT.replace("[100, 0, 48]", "[0, 0, 48]"), "cameras.front.intrinsics: is singular"),
        (
            "cameras:" + FRONT.replace("[0, 0, 1, 2]", "[0, 0, 0, 2]"),
            "front.vehicle_from_camera: its rotation is singular",
        ),
        ("cameras:" + FRONT.replace("[0, 0, 1, 2]", "[0, 0, -1, 2]"), "front.vehicle_from_camera: its upper left 3x3"),
        ("cameras:" + FRONT.replace("[0, 0, 0, 1]]", "]"), "cameras.front.vehicle_from_camera: "),
        ("road_height_m: .inf\ncameras:" + FRONT, "road_height_m: "),
        ("cameras:" + FRONT + "    distortion: [0.1]\n", "cameras.front.distortion: expected 4, 5, 8, 12 or 14"),
        ("cameras:" + FRONT + "    distortion: [[0.1, 0], [0, 0]]\n", "cameras.front.distortion.0: "),
        ("cameras:" + FRONT + "    distortion_model: fisheye\n", "cameras.front.distortion: expected 4 finite numbers"),
        (
            "cameras:" + FRONT + "    distortion_model: omni\n",
            "distortion_model: expected 'opencv'",
        ),
        ("road_height_m: 9\ncameras:" + FRONT, "road_height_m: "),
        ("road_height_m: 2\ncameras:" + FRONT, "front.vehicle_from_camera: the camera would be 0.50 m below the road"),
        ("cameras:" + FRONT.replace("front:", "../evil:"), "cameras.../evil: a camera's name becomes that of files"),
        ("cameras:" + FRONT.replace("front:", "'..':"), "a camera's name becomes that of files"),
        ("cameras: {}", "cameras: "),
        ("- 1", "the file: "),
        ("cameras: [", "cannot be read as YAML"),
    ],
)
def test_each_fault_in_a_rig_file_is_named(tmp_path: Path, text: str, fault: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_rig(path)
    assert str(path) in str(caught.value) and fault in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", [4, 5, 8, 12, 14])
@pytest.mark.parametrize("form", ["list", "row", "column"])
def test_coefficients_are_read_as_opencv_prints_them(tmp_path: Path, count: int, form: str) -> None:
    numbers = [-0.3, 0.1, 0.001, 0.002, 0.01, 0.02, 0.01, 0.001, *[0.0] * 6][:count]
    printed = {"list": numbers, "row": [numbers], "column": [[number] for number in numbers]}[form]
    camera = read_rig(written(tmp_path, f"cameras:{FRONT}    distortion: {printed}\n")).cameras["front"]
    assert (camera.distortion, camera.distortion_model) == (tuple(numbers), "opencv")


def test_a_fisheye_is_named_by_its_model(tmp_path: Path) -> None:
    entry = "    distortion: [[-0.02], [0.004], [0], [0]]\n    distortion_model: fisheye\n"
    camera = read_rig(written(tmp_path, f"cameras:{FRONT}{entry}")).cameras["front"]
    assert (camera.distortion, camera.distortion_model) == ((-0.02, 0.004, 0, 0), "fisheye")
    assert camera.resized((192, 128)).distortion_model == "fisheye"


def test_an_unknown_rig_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"nowhere: no such rig file; give a YAML file or one of .*surround-six"):
        read_rig("nowhere")


def test_what_yaml_merges_is_no_key_given_twice(tmp_path: Path) -> None:
    text = "cameras:" + FRONT.replace("front:", "front: &same") + "  rear: {<<: *same, width: 192, height: 128}\n"
    assert read_rig(written(tmp_path, text)).cameras["rear"].size_px == (192, 128)
    assert yaml.safe_load(text)["cameras"]["rear"]["width"] == 192


def test_cameras_are_matched_by_name_whatever_their_order() -> None:
    rig, notes = match_rig(rig_of("a", "b"), ["b", "a"])
    assert list(rig.cameras) == ["b", "a"] and notes == []
    assert rig.cameras["a"].intrinsics[0, 0] == 100


def test_cameras_without_a_common_name_are_matched_by_order() -> None:
    rig, notes = match_rig(rig_of("a", "b"), ["left", "right"])
    assert [(name, camera.name) for name, camera in rig.cameras.items()] == [("left", "left"), ("right", "right")]
    assert [camera.intrinsics[0, 0] for camera in rig.cameras.values()] == [100, 101]
    assert notes == ["The rig's cameras were taken in their order: left is a, right is b."]


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (["a"], "the rig has b, the source has not"),
        (["a", "b", "c"], "the source has c, the rig has not"),
        (["a", "c"], "the source has c, the rig has not; the rig has b, the source has not"),
        (["left"], "the source has left, the rig has not; the rig has a, b, the source has not"),
    ],
)
def test_a_camera_that_only_one_side_has_is_named(names: list[str], fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        match_rig(rig_of("a", "b"), names)


def test_a_rig_fits_scaled_images_only() -> None:
    fitted = fit_rig(rig_of("a", "b"), {"a": (192, 128), "b": (96, 64)})
    assert [camera.size_px for camera in fitted.cameras.values()] == [(192, 128), (96, 64)]
    assert fitted.cameras["a"].intrinsics[0, 0] == 200
    with pytest.raises(UsageError, match=r"camera b: .*is for 96x64 pixels, the images have 96x96"):
        fit_rig(rig_of("a", "b"), {"a": (96, 64), "b": (96, 96)})
