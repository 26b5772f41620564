"""Points of the road in a picture."""

import numpy as np
import pytest

from perception.visualization.ground_view.projection import RoadProjection

FILLING = (np.ones(2), np.zeros(2))


@pytest.mark.parametrize("yaw_deg", [0, 55, 180, -110])
@pytest.mark.parametrize("road_height_m", [0.0, -0.3])
def test_the_road_lies_where_the_camera_projects_it(rig_of, yaw_deg, road_height_m):
    camera = rig_of({"a": yaw_deg}).cameras["a"]
    positions = np.random.default_rng(1).uniform(-40, 40, (200, 2))
    expected, depths_m = camera.project(np.column_stack([positions, np.full(200, road_height_m)]))
    pixels, in_front = RoadProjection.of_camera(camera, road_height_m, *FILLING).pixels(positions)
    assert 10 < in_front.sum() < 190
    np.testing.assert_array_equal(in_front, depths_m >= 0.8)
    np.testing.assert_allclose(pixels[in_front], expected[in_front], atol=1e-6)


def test_scale_and_offset_move_the_picture(rig_of):
    camera = rig_of({"a": 0.0}).cameras["a"]
    position = np.array([[12.0, 3.0]])
    plain, _ = RoadProjection.of_camera(camera, 0.0, *FILLING).pixels(position)
    moved, _ = RoadProjection.of_camera(camera, 0.0, np.array([0.5, 0.25]), np.array([7.0, -9.0])).pixels(position)
    np.testing.assert_allclose(moved, plain * [0.5, 0.25] + [7, -9])


def test_nothing_in_front_lies_above_the_horizon(rig_of):
    camera = rig_of({"a": 0.0}).cameras["a"]
    paths = np.random.default_rng(2).uniform(-60, 60, (300, 5, 2))
    segments, seen = RoadProjection.of_camera(camera, 0.0, *FILLING).segments(paths)
    assert seen.any()
    assert not seen.all()
    assert (segments[seen][..., 1] > camera.intrinsics[1, 2]).all()


def test_a_path_that_passes_the_camera_is_cut_and_keeps_its_direction(rig_of):
    camera = rig_of({"a": 0.0}).cameras["a"]
    projection = RoadProjection.of_camera(camera, 0.0, *FILLING)
    path = np.array([[20.0, 2.0], [-20.0, 2.0], [-30.0, 2.0]])
    segments, seen = projection.segments(path)
    assert seen.tolist() == [True, False]
    expected, _ = camera.project(np.array([[20.0, 2, 0], [0.8, 2, 0]]))
    np.testing.assert_allclose(segments[0], expected, atol=1e-6)


def test_strips_are_the_quadrilaterals_between_the_borders(rig_of):
    projection = RoadProjection.from_above((100.0, 200.0), 10.0)
    left = np.array([[0.0, 1.0], [5.0, 1.0], [9.0, 1.0]])
    quads, seen = projection.strips(left, left - [0, 2.0])
    assert seen.all()
    np.testing.assert_allclose(quads[0], [[90, 200], [90, 150], [110, 150], [110, 200]])
    assert quads.shape == (2, 4, 2)


def test_from_above_ahead_is_up_and_left_is_left():
    pixels, in_front = RoadProjection.from_above((100.0, 200.0), 8.0).pixels(np.array([[20.0, 0], [0, 5], [-3, -2]]))
    np.testing.assert_allclose(pixels, [[100, 40], [60, 200], [116, 224]])
    assert in_front.all()
