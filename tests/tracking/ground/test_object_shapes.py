"""What cameras see of road users of usual shape, against projected corners and against lifting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from support.ground_drive import Eye, Traffic, camera_towards, pose_at

from perception.geometry.cameras import Rig
from perception.sources import open_source, read_objects, read_truth
from perception.taxonomy import USUAL_SIZES_LWH_M
from perception.tracking.ground.ego_pose import PlanarPose
from perception.tracking.ground.lifting import LiftingNoise, Views, lift
from perception.tracking.ground.object_shapes import expected_lifting, image_boxes
from perception.tracking.ground.road_plane import RoadPlane

CAR, BUS, BICYCLE, PEDESTRIAN = 0, 2, 4, 5
ROAD = RoadPlane(np.zeros(3), np.zeros((3, 3)), 1e-4)
NOISE = LiftingNoise()
RECORDING = Path(__file__).parents[3] / "data" / "recording"


def shown_width_m(label: int, yaw_rad: float, sight_rad: float) -> float:
    length_m, width_m, _ = USUAL_SIZES_LWH_M[label]
    turn = yaw_rad - sight_rad
    return length_m * abs(np.sin(turn)) + width_m * abs(np.cos(turn))


@settings(max_examples=60, deadline=None)
@given(
    label=st.sampled_from([CAR, BUS, BICYCLE]),
    ahead_m=st.floats(9, 60),
    left_share=st.floats(-0.5, 0.5),
    yaw_deg=st.floats(-180, 180),
    camera_yaw_deg=st.floats(-180, 180),
    pitch_deg=st.floats(-3, 10),
)
def test_a_box_holds_the_projected_outline(
    label: int, ahead_m: float, left_share: float, yaw_deg: float, camera_yaw_deg: float, pitch_deg: float
) -> None:
    camera = camera_towards("any", camera_yaw_deg, pitch_deg=pitch_deg, size_px=(6000, 6000), view_deg=140)
    views = Views.of([camera])
    ahead_m += USUAL_SIZES_LWH_M[label][0]
    position = views.ground_points(np.array([ahead_m]), np.array([left_share]))[0]
    sight = np.arctan2(*(position - camera.position_m[:2])[::-1])
    yaw = np.radians(yaw_deg)
    state = np.array([*position, shown_width_m(label, yaw, sight), USUAL_SIZES_LWH_M[label][2]])
    boxes, is_in_front = image_boxes(state[None], np.array([yaw]), np.array([label]), views, ROAD)
    traffic = Traffic.of([(label, *position, yaw_deg, 0.0)])
    seen, _ = Eye().look(Rig({"any": camera}), np.eye(4), traffic, 0.0, np.random.default_rng(0))
    assert is_in_front.all()
    np.testing.assert_allclose(boxes, seen[0].boxes_xyxy_px, atol=1e-6)


@pytest.mark.parametrize(
    ("position", "yaw_deg"), [((8.0, 3.5), 0), ((9.0, -4.0), 30), ((3.0, 6.0), 180), ((20.0, 0.0), 90)]
)
def test_lifting_is_right_once_the_heading_is_known(position: tuple[float, float], yaw_deg: float) -> None:
    camera = camera_towards("any", float(np.degrees(np.arctan2(position[1], position[0] - 1.0))))
    views, labels = Views.of([camera]), np.array([CAR])
    seen, _ = Eye().look(
        Rig({"any": camera}), np.eye(4), Traffic.of([(CAR, *position, yaw_deg, 0.0)]), 0.0, np.random.default_rng(0)
    )
    lifted = lift(seen[0].boxes_xyxy_px, labels, views, ROAD, NOISE)
    sight = np.arctan2(*(np.array(position) - camera.position_m[:2])[::-1])
    yaw = np.radians(yaw_deg)
    # The track is half a metre off: what lifting does wrong hardly changes over that.
    state = np.array([[position[0] + 0.4, position[1] - 0.3, shown_width_m(CAR, yaw, float(sight)), 1.6]])
    expected, is_like = expected_lifting(
        state, np.array([yaw]), labels, seen_xyxy_px=seen[0].boxes_xyxy_px, views=views, road=ROAD, noise=NOISE
    )
    assert is_like.all()
    corrected = lifted.measured[:, :2] - (expected.measured - state)[:, :2]
    np.testing.assert_allclose(corrected[0], position, atol=0.2)


def test_a_differently_cut_box_is_no_comparison() -> None:
    camera = camera_towards("any", 0)
    views, labels = Views.of([camera]), np.array([CAR])
    state = np.array([[15.0, 0.0, 1.85, 1.55]])
    cut = np.array([[0.0, 150, 60, 210]])
    _, is_like = expected_lifting(state, np.zeros(1), labels, seen_xyxy_px=cut, views=views, road=ROAD, noise=NOISE)
    assert not is_like.any()


def test_all_pairs_of_objects_and_cameras_come_in_one_call() -> None:
    views = Views.of([camera_towards("ahead", 0), camera_towards("behind", 180)])
    states = np.array([[20.0, 0, 1.85, 1.5], [-20.0, 0, 1.85, 1.5], [12.0, 2, 0.6, 1.7]])
    boxes, is_in_front = image_boxes(
        states[:, None], np.zeros((3, 1)), np.array([CAR, CAR, PEDESTRIAN])[:, None], views, ROAD
    )
    assert boxes.shape == (3, 2, 4)
    np.testing.assert_array_equal(is_in_front, [[True, False], [False, True], [True, False]])


def test_what_passes_the_camera_reaches_out_of_its_image_and_what_surrounds_it_has_no_box() -> None:
    views = Views.of([camera_towards("ahead", 0)])
    states = np.array([[3.0, 3.5, 2.0, 1.5], [1.5, 0.2, 2.0, 1.5]])
    boxes, is_in_front = image_boxes(states, np.zeros(2), np.array([BUS, BUS]), views, ROAD)
    assert is_in_front.tolist() == [True, False]
    assert boxes[0, 0] < 0 < boxes[0, 2] < 320


def test_pedestrians_have_no_front() -> None:
    views = Views.of([camera_towards("ahead", 0)])
    state = np.array([[10.0, 2.0, 0.6, 1.7]])
    one, other = (image_boxes(state, np.array([yaw]), np.array([PEDESTRIAN]), views, ROAD)[0] for yaw in (0.0, 0.8))
    np.testing.assert_allclose(one, other)


@pytest.mark.parametrize("label", [CAR, PEDESTRIAN])
def test_outlines_end_below_where_silhouettes_do(label: int) -> None:
    misses = drawn_feet_below_expected(RECORDING, label)
    assert len(misses) >= 50
    # As boxes, cars would end lower by a twenty-fifth of their height, which puts them a metre too far away at 30 m.
    assert abs(np.median(misses)) < 0.015


def drawn_feet_below_expected(recording: Path, label: int) -> NDArray[np.float64]:
    """How much lower than expected whole silhouettes of a recording at 10 fps end, in heights of theirs."""
    objects, seen, source = read_objects(recording), read_truth(recording), open_source([str(recording)])
    poses = np.genfromtxt(recording / "poses.csv", delimiter=",", names=True)
    assert objects is not None and seen is not None and seen.visible_shares is not None and source.rig is not None
    misses = []
    for frame in range(0, len(poses), 10):
        turn = Rotation.from_quat([poses[name][frame] for name in ("qx", "qy", "qz", "qw")]).as_euler("zyx")[0]
        pose = PlanarPose.of(pose_at(poses["x"][frame], poses["y"][frame], turn))
        here = objects[(objects.timestamps_ns == frame * 10**8) & (objects.labels == label)]
        for name, camera in source.rig.cameras.items():
            low, high = seen.boxes_xyxy_px[:, :2], seen.boxes_xyxy_px[:, 2:]
            is_whole = (low > 2).all(axis=1) & (high < np.array(camera.size_px) - 2).all(axis=1)
            is_whole &= (high - low)[:, 1] > 14
            drawn = seen[is_whole & (seen.cameras == name) & (seen.frame_indices == frame)]
            _, rows, drawn_rows = np.intersect1d(here.ids, drawn.ids, return_indices=True)
            things, feet_px = here[rows], drawn.boxes_xyxy_px[drawn_rows]
            positions, yaws = pose.to_vehicle(things.centres_m[:, :2]), things.yaws_rad - pose.yaw_rad
            sights = np.arctan2(*(positions - camera.position_m[:2]).T[::-1])
            length_m, width_m, height_m = things.sizes_lwh_m.T
            shown_m = length_m * np.abs(np.sin(yaws - sights)) + width_m * np.abs(np.cos(yaws - sights))
            views = Views.of([camera] * len(things)) if len(things) else Views.of([camera])[:0]
            boxes, _ = image_boxes(np.column_stack([positions, shown_m, height_m]), yaws, things.labels, views, ROAD)
            misses.append((feet_px - boxes)[:, 3] / (boxes[:, 3] - boxes[:, 1]))
    return np.concatenate(misses)
