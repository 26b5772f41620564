import numpy as np
import torch
from scipy.spatial.transform import Rotation
from support.tracks import make_tracks

from perception.forecasting.features.image_motion import (
    DIRECTION,
    IS_KNOWN,
    OBSERVATION_SIZE,
    SPEED,
    STD,
    ImageMotion,
)
from perception.forecasting.features.motion import TIME_CONSTANTS_S, MotionState
from perception.geometry.turning import lens_of, turned_boxes
from perception.types import EgoMotion

MOTION = ImageMotion()
IS_FIRST = 4 + 4 + 4 * len(TIME_CONSTANTS_S) + 4 + 1
"""The column of an input that marks a track's first observation."""


def _run(boxes: torch.Tensor, times_s: np.ndarray) -> tuple[MotionState, list[torch.Tensor]]:
    state = MOTION.start(boxes[:, 0])
    inputs = []
    for index in range(boxes.shape[1]):
        dt = times_s[index] - times_s[index - 1] if index else 0.0
        state, row = MOTION.advance(state, boxes[:, index], torch.full((len(boxes),), dt), torch.zeros(len(boxes)))
        inputs.append(row)
    return state, inputs


def _line(times_s: np.ndarray, velocity: tuple[float, ...] = (0.2, -0.1, 0.0, 0.0)) -> torch.Tensor:
    start = torch.tensor([0.3, 0.6, 0.1, 0.08])
    return _exact((start + torch.from_numpy(times_s).float()[:, None] * torch.tensor(velocity))[None])


def _exact(boxes: torch.Tensor) -> torch.Tensor:
    """Observations (..., O) of boxes (..., 4) without any doubt, of a camera of which nothing is known."""
    return torch.nn.functional.pad(boxes, (0, OBSERVATION_SIZE - 4))


def test_every_time_constant_sees_the_velocity_of_a_straight_line_at_any_frame_rate():
    for times in (np.arange(15) / 30, np.arange(5) / 5, np.array([0.0, 0.1, 0.5, 0.55])):
        state, _ = _run(_line(times), times)
        expected = torch.tensor([0.2, -0.1, 0.0, 0.0]).expand(len(TIME_CONSTANTS_S), 4)
        torch.testing.assert_close(state.mean_rates()[0], expected, atol=1e-5, rtol=1e-4)


def test_the_short_time_constant_reacts_first():
    times = np.arange(20) / 10
    stopping = _line(np.minimum(times, 1.0))
    state, _ = _run(stopping, times)
    speeds = state.mean_rates()[0, :, 0]
    assert speeds[0] < speeds[1] < speeds[2]
    assert speeds[0] < 0.01


def test_the_first_box_has_no_motion_and_states_that_it_is_the_first():
    _, (first, second) = _run(_line(np.array([0.0, 0.1])), np.array([0.0, 0.1]))
    assert first.shape == (1, MOTION.input_size)
    moved = slice(4, 8 + 4 * len(TIME_CONSTANTS_S))
    assert torch.all(first[0, moved] == 0)
    assert first[0, IS_FIRST] == 1
    assert second[0, IS_FIRST] == 0
    assert second[0, 4] > 0


def test_the_future_does_not_reach_the_inputs():
    times = np.arange(12) / 10
    boxes = _line(times)
    changed = boxes.clone()
    changed[:, 8:] += 0.3
    _, before = _run(boxes, times)
    _, after = _run(changed, times)
    for index in range(8):
        torch.testing.assert_close(before[index], after[index], rtol=0, atol=0)
    assert not torch.equal(before[8], after[8])


def test_near_and_far_objects_that_move_alike_look_alike():
    times = np.arange(6) / 10
    near = torch.tensor([0.5, 0.5, 0.2, 0.2]) + torch.from_numpy(times).float()[:, None] * torch.tensor([0.2, 0, 0, 0])
    far = torch.tensor([0.5, 0.5, 0.02, 0.02]) + torch.from_numpy(times).float()[:, None] * torch.tensor(
        [0.02, 0, 0, 0]
    )
    _, inputs = _run(_exact(torch.stack([near, far])), times)
    relative = inputs[-1][:, 4 : 8 + 4 * len(TIME_CONSTANTS_S)]
    torch.testing.assert_close(relative[0], relative[1], atol=1e-4, rtol=1e-3)


def test_rows_of_one_state_are_put_into_another():
    states = [MOTION.start(torch.rand(3, OBSERVATION_SIZE)) for _ in range(2)]
    mixed = states[0].with_rows(torch.tensor([2, 0]), states[1], torch.tensor([0, 1]))
    expected = torch.stack([states[1].observations[1], states[0].observations[1], states[1].observations[0]])
    assert torch.equal(mixed.observations, expected)


def test_the_trackers_uncertainty_about_a_box_is_given_in_the_objects_own_size():
    boxes = torch.tensor([[0.5, 0.5, 0.2, 0.1], [0.5, 0.5, 0.02, 0.01]])
    observations = _exact(boxes)
    observations[:, STD] = boxes[:, 2:].repeat(1, 2) * 0.1
    _, inputs = MOTION.advance(MOTION.start(observations), observations, torch.zeros(2), torch.zeros(2))
    doubts = slice(8 + 4 * len(TIME_CONSTANTS_S), 12 + 4 * len(TIME_CONSTANTS_S))
    torch.testing.assert_close(inputs[:, doubts], torch.ones(2, 4).asinh())


def test_an_observation_is_a_box_and_its_standard_deviations():
    tracks = make_tracks(np.array([[0.5, 0.4, 0.2, 0.1]]), np.array([1]))
    tracks.covariances[0, range(8), range(8)] = np.array([1, 4, 9, 16, 25, 25, 25, 25]) * 1e-4
    tracks.covariances[0, 3, 3] = -1e-12
    observed = MOTION.observe(tracks, None)
    np.testing.assert_allclose(observed[:, :8], [[0.5, 0.4, 0.2, 0.1, 0.01, 0.02, 0.03, 0.0]])
    assert (observed[:, 8:] == 0).all()


def _ego(yaw_deg: float, **more: object) -> EgoMotion:
    """A camera that turned right by so many degrees in a tenth of a second."""
    return EgoMotion(
        dt_s=0.1,
        now_from_before=Rotation.from_euler("y", -yaw_deg, degrees=True).as_matrix(),
        rotation_stds_rad=np.full(3, 1e-3),
        camera_matrix=np.array([[500.0, 0, 320], [0, 500, 180], [0, 0, 1]]),
        image_size_px=(640, 360),
        **more,
    )


def test_what_only_the_cameras_turning_moves_has_no_velocity():
    before = make_tracks(np.array([[0.6, 0.5, 0.1, 0.1]]), np.array([1]))
    ego = _ego(3.0)
    lens = lens_of(ego.camera_matrix, ego.image_size_px)
    after = make_tracks(turned_boxes(before.boxes_cxcywh, ego.now_from_before, lens), np.array([1]))
    first, second = (
        torch.from_numpy(MOTION.observe(tracks, None, {"front": ego})).float() for tracks in (before, after)
    )
    assert (second[0, 0] - first[0, 0]).abs() > 0.04
    still, _ = MOTION.advance(MOTION.start(first), second, torch.tensor([0.1]), torch.zeros(1))
    assert still.mean_rates().abs().max() < 1e-3
    # Without the camera's motion the same boxes move.
    blind = torch.from_numpy(MOTION.observe(after, None)).float()
    moved, _ = MOTION.advance(MOTION.start(first), blind, torch.tensor([0.1]), torch.zeros(1))
    assert moved.mean_rates()[0, 0, 0] < -0.4


def test_what_is_not_known_of_the_camera_is_zero_and_says_so():
    tracks = make_tracks(np.array([[0.6, 0.5, 0.1, 0.1]]), np.array([1]))
    turning = MOTION.observe(tracks, None, {"front": _ego(0.0)})[0]
    driving = MOTION.observe(tracks, None, {"front": _ego(0.0, direction=np.array([0, 0, 1.0]), speed_mps=8.0)})[0]
    other = MOTION.observe(tracks, None, {"rear": _ego(0.0)})[0]
    assert turning[IS_KNOWN].tolist() == [1, 0, 0]
    assert driving[IS_KNOWN].tolist() == [1, 1, 1]
    assert driving[DIRECTION].tolist() == [0, 0, 1]
    assert driving[SPEED] == 8.0
    assert (other[8:] == 0).all()
