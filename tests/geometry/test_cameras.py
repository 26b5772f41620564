from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from perception.geometry.cameras import Camera, Rig, check_rigid, inverse_rigid, transform_points, yaw_rad

FORWARD = np.array([[0, 0, 1, 2.0], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]])
INTRINSICS = np.array([[100, 0, 48.0], [0, 120, 32], [0, 0, 1]])


def camera(name: str = "front", *, yaw_deg: float = 0, size_px: tuple[int, int] = (96, 64)) -> Camera:
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("z", yaw_deg, degrees=True).as_matrix()
    return Camera(name, size_px, INTRINSICS, turned @ FORWARD)


def test_a_point_ahead_is_seen_where_the_lens_projects_it() -> None:
    # 10 m ahead of the camera, 1 m to the left and on the road, so 1.5 m below it.
    pixels, depth_m = camera().project(np.array([12.0, 1.0, 0.0]))
    assert depth_m == pytest.approx(10)
    np.testing.assert_allclose(pixels, [48 - 100 * 0.1, 32 + 120 * 0.15])


def test_what_is_behind_has_a_negative_depth() -> None:
    _, depths_m = camera(yaw_deg=180).project(np.array([[12.0, 0, 1], [-12.0, 0, 1]]))
    assert depths_m.tolist() == pytest.approx([-14, 10])


@given(
    yaw_deg=st.floats(-180, 180),
    x=st.floats(0, 96),
    y=st.floats(0, 64),
    depth_m=st.floats(0.5, 200),
)
def test_rays_and_projection_undo_each_other(yaw_deg: float, x: float, y: float, depth_m: float) -> None:
    one = camera(yaw_deg=yaw_deg)
    point = one.position_m + depth_m * one.rays(np.array([x, y]))
    pixels, depth = one.project(point)
    np.testing.assert_allclose(pixels, [x, y], atol=1e-6)
    assert depth == pytest.approx(depth_m)


def test_many_points_at_once_are_each_as_alone() -> None:
    points = np.random.default_rng(0).normal([10, 0, 1], 2, (4, 3, 3))
    pixels, depths_m = camera().project(points)
    assert pixels.shape == (4, 3, 2) and depths_m.shape == (4, 3)
    np.testing.assert_allclose(camera().project(points[2, 1])[0], pixels[2, 1])
    np.testing.assert_allclose(camera().rays(pixels)[2, 1], camera().rays(pixels[2, 1]))


def test_a_resized_camera_sees_the_same_at_scaled_pixels() -> None:
    small, point = camera().resized((48, 32)), np.array([[8.0, -1.0, 0.5], [30.0, 4.0, 2.0]])
    assert small.size_px == (48, 32)
    np.testing.assert_allclose(small.project(point)[0], camera().project(point)[0] / 2)
    assert camera().resized((96, 64)).intrinsics is INTRINSICS
    with pytest.raises(ValueError, match="is for 96x64 pixels, the images have 64x64"):
        camera().resized((64, 64))


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("size_px", (0, 64), "width, height"),
        ("intrinsics", np.diag([0.0, 100, 1]), "intrinsics: is singular"),
        ("intrinsics", np.diag([100.0, -100, 1]), "intrinsics: is singular or mirrored"),
        ("intrinsics", np.array([[100, 0, np.nan], [0, 100, 32], [0, 0, 1]]), "intrinsics: expected 3x3 finite"),
        ("intrinsics", np.array([[100.0, 0, 48], [0, 100, 32], [0, 0, 2]]), "intrinsics: expected the rows"),
        ("intrinsics", np.eye(4), "intrinsics: expected 3x3"),
        ("vehicle_from_camera", np.diag([1.0, 1, 0, 1]), "vehicle_from_camera: its rotation is singular"),
        ("vehicle_from_camera", np.diag([2.0, 2, 2, 1]), "vehicle_from_camera: its upper left 3x3 is no rotation"),
        ("vehicle_from_camera", np.diag([1.0, 1, -1, 1]), "vehicle_from_camera: its upper left 3x3 is no rotation"),
        ("vehicle_from_camera", FORWARD.T, "vehicle_from_camera: expected the last row"),
        ("vehicle_from_camera", np.full((4, 4), np.inf), "vehicle_from_camera: expected 4x4 finite"),
    ],
)
def test_a_camera_that_cannot_be_is_refused(field: str, value: object, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        replace(camera(), **{field: value})


def test_a_rig_names_its_cameras() -> None:
    rig = Rig({"a": camera("a"), "b": camera("b", yaw_deg=90)}, road_height_m=-0.3)
    assert len(rig) == 2 and list(rig.only(["b"]).cameras) == ["b"] and rig.only(["b"]).road_height_m == -0.3
    with pytest.raises(KeyError):
        rig.only(["c"])
    with pytest.raises(ValueError, match="at least one camera"):
        Rig({})
    with pytest.raises(ValueError, match="under its own name, got b"):
        Rig({"b": camera("a")})
    with pytest.raises(ValueError, match="road_height_m"):
        Rig({"a": camera("a")}, road_height_m=float("nan"))


def test_inverse_and_yaw_of_a_transform() -> None:
    transform = np.eye(4)
    transform[:3, :3] = Rotation.from_euler("ZYX", [0.7, 0.1, -0.2]).as_matrix()
    transform[:3, 3] = [3, -2, 1]
    np.testing.assert_allclose(inverse_rigid(transform) @ transform, np.eye(4), atol=1e-12)
    assert yaw_rad(transform) == pytest.approx(0.7)
    np.testing.assert_allclose(transform_points(transform, np.zeros((2, 3))), [[3, -2, 1]] * 2)
    check_rigid("pose", transform)
    with pytest.raises(ValueError, match=r"^pose: "):
        check_rigid("pose", 2 * transform)
