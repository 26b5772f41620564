from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ground_tracks import make_ground_tracks, pose, rotated
from support.windows import make_windows

from perception.forecasting import GruConfig, GruForecaster, TrajectoryGRU
from perception.forecasting.batch_prediction import encode_windows
from perception.forecasting.features.ground_motion import AXIS, GroundMotion, motion_axes_rad
from perception.forecasting.features.motion import TIME_CONSTANTS_S, MotionState
from perception.types import Tracks

MOTION = GroundMotion()
CPU = torch.device("cpu")
CONFIG = GruConfig(hidden_size=16, input_size=12, feature_size=2, reference_frame="ground", horizon_s=4.0)
CAR_INPUTS = slice(-12, -3)
CHANGES = slice(2 + 2 * (len(TIME_CONSTANTS_S) + 1), 2 + 2 * (2 * len(TIME_CONSTANTS_S) + 1))
"""How the velocity changes, along and across."""


@pytest.fixture(scope="module")
def model() -> TrajectoryGRU:
    torch.manual_seed(2)
    return TrajectoryGRU(CONFIG).eval()


def _run(instants: list[tuple[float, Tracks, np.ndarray | None]]) -> tuple[MotionState, list[torch.Tensor]]:
    rows = [torch.from_numpy(MOTION.observe(tracks, car)).float() for _, tracks, car in instants]
    state, inputs = MOTION.start(rows[0]), []
    for index, row in enumerate(rows):
        dt_s = instants[index][0] - instants[index - 1][0] if index else 0.0
        state, seen = MOTION.advance(state, row, torch.full((len(row),), dt_s), torch.zeros(len(row)))
        inputs.append(seen)
    return state, inputs


def _straight(times_s: np.ndarray, heading_rad: float, speed_mps: float, car: np.ndarray | None = None):
    velocity = speed_mps * np.array([np.cos(heading_rad), np.sin(heading_rad)])
    return [
        (
            time,
            make_ground_tracks(
                np.array([[5.0, -3.0]]) + velocity * time,
                [1],
                velocities_mps=velocity[None],
                headings_rad=np.array([heading_rad]),
            ),
            car,
        )
        for time in times_s
    ]


def _random_drive(seed: int, count: int = 3) -> list[tuple[float, Tracks, np.ndarray]]:
    rng = np.random.default_rng(seed)
    positions, times = rng.uniform(-20, 20, (count, 2)), np.cumsum(rng.uniform(0.05, 0.5, 5))
    root = rng.normal(size=(count, 8, 8)) * 0.1
    instants = []
    for index, time in enumerate(times):
        positions = positions + rng.normal(size=(count, 2))
        tracks = make_ground_tracks(
            positions,
            np.arange(count),
            velocities_mps=4 * rng.normal(size=(count, 2)),
            headings_rad=rng.uniform(-3, 3, count),
            covariances=root @ root.transpose(0, 2, 1) + 0.01 * np.eye(8),
            labels=np.arange(count) % 6,
        )
        instants.append((float(time), tracks, pose(0.4 * index, 0.1, 0.05 * index)))
    return instants


@pytest.mark.parametrize("times_s", [np.arange(30) / 30, np.arange(6) / 2, np.array([0.0, 0.1, 0.5, 0.55])])
def test_every_time_constant_sees_the_speed_along_the_heading_at_any_rate(times_s):
    state, inputs = _run(_straight(times_s, heading_rad=2.0, speed_mps=8.0))
    expected = torch.tensor([8.0, 0.0]).expand(len(TIME_CONSTANTS_S) + 1, 2)
    torch.testing.assert_close(MOTION.velocities(state)[0], expected, atol=1e-4, rtol=1e-4)
    assert inputs[-1].shape == (1, MOTION.input_size)


def test_braking_looks_the_same_at_any_speed():
    def changes(speed_mps: float, braking_mps2: float) -> torch.Tensor:
        times_s = np.arange(20) / 10
        instants = []
        for time in times_s:
            position = np.array([[speed_mps * time - 0.5 * braking_mps2 * time**2, 0.0]])
            velocity = np.array([[speed_mps - braking_mps2 * time, 0.0]])
            tracks = make_ground_tracks(position, [1], velocities_mps=velocity, headings_rad=np.zeros(1))
            instants.append((time, tracks, None))
        _, inputs = _run(instants)
        return inputs[-1][0, CHANGES].sinh().view(-1, 2)

    fast, slow = changes(20.0, 3.0), changes(8.0, 3.0)
    torch.testing.assert_close(fast, slow, atol=0.02, rtol=0.02)
    # Short averages lag behind less than long ones, and the tracker's own velocity not at all.
    assert (fast[:2, 0] < -1).all() and fast[2, 0] > 1
    assert changes(20.0, 0.0).abs().max() < 0.01


def test_a_future_goes_along_the_heading():
    state, _ = _run(_straight(np.array([0.0, 0.1]), heading_rad=np.pi / 2, speed_mps=8.0))
    position = MOTION.position(state, torch.tensor([2.0, -1.0]).view(1, 1, 1, 2))
    torch.testing.assert_close(position.flatten(), torch.tensor([5.0 + 1.0, -3.0 + 0.8 + 2.0]), atol=1e-5, rtol=1e-5)


def test_the_first_observation_has_no_motion_but_the_trackers_own():
    state, (first,) = _run(_straight(np.array([0.0]), heading_rad=0.3, speed_mps=5.0))
    assert torch.all(first[0, :2] == 0)
    assert torch.all(state.mean_rates() == 0)
    torch.testing.assert_close(MOTION.velocities(state)[0, -1], torch.tensor([5.0, 0.0]))


def test_the_direction_is_that_of_motion_and_at_a_stand_the_front():
    def axis(velocity: tuple[float, float]) -> float:
        tracks = make_ground_tracks(
            np.zeros((1, 2)), [1], velocities_mps=np.array([velocity]), headings_rad=np.array([1.0])
        )
        return float(motion_axes_rad(tracks)[0])

    assert axis((0.0, 0.0)) == pytest.approx(1.0)
    assert axis((0.0, -20.0)) == pytest.approx(-np.pi / 2, abs=0.03)
    slow = [axis((0.0, -speed)) for speed in np.linspace(0, 20, 2000)]
    assert np.abs(np.diff(slow)).max() < 0.1


def test_the_network_knows_where_the_car_is_and_how_it_moves():
    """The object stands and faces north; the car drives east at 10 m/s, 20 m before it."""
    instants = [
        (time, make_ground_tracks(np.zeros((1, 2)), [1], headings_rad=np.array([np.pi / 2])), pose(10 * time, 20.0))
        for time in (0.0, 0.1)
    ]
    _, inputs = _run(instants)
    known, ahead, left, distance, cos, sin, along, across, turn_rate = inputs[1][0, CAR_INPUTS].sinh().tolist()
    assert known == pytest.approx(np.sinh(1))
    assert (ahead, left) == pytest.approx((2.0, -0.1), abs=1e-3)
    assert distance == pytest.approx(np.hypot(20, 1) / 10, rel=1e-3)
    assert (np.arcsinh(cos), np.arcsinh(sin)) == pytest.approx((0.0, -1.0), abs=1e-6)
    assert (along, across) == pytest.approx((0.0, -10 / 3), abs=1e-3)
    assert turn_rate == pytest.approx(0.0, abs=1e-4)


def test_an_unknown_car_is_none():
    _, inputs = _run(_straight(np.array([0.0, 0.1]), 0.3, 5.0, car=None))
    assert torch.all(inputs[1][0, CAR_INPUTS] == 0)
    _, known = _run(_straight(np.array([0.0, 0.1]), 0.3, 5.0, car=pose()))
    assert torch.all(known[1][0, : CAR_INPUTS.start] == inputs[1][0, : CAR_INPUTS.start])


@given(
    angle_rad=st.floats(-7, 7),
    shift_m=st.tuples(st.floats(-200, 200), st.floats(-200, 200)),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None)
def test_a_turned_and_moved_world_has_turned_and_moved_forecasts(model, angle_rad, shift_m, seed):
    here, there = (GruForecaster.of(model, device=CPU) for _ in range(2))
    world = pose(*shift_m, angle_rad)
    for time, tracks, car in _random_drive(seed):
        timestamp_ns = int(time * 1e9)
        ours = here.step(tracks, timestamp_ns, car)
        theirs = there.step(rotated(tracks, angle_rad, shift_m), timestamp_ns, world @ car)
    moved = ours.means @ world[:2, :2].T + world[:2, 3]
    np.testing.assert_allclose(theirs.means, moved, atol=5e-2)
    np.testing.assert_allclose(theirs.stds, ours.stds, rtol=5e-3)
    np.testing.assert_allclose(theirs.probabilities, ours.probabilities, atol=5e-3)
    turned = np.angle(np.exp(1j * (theirs.axes_rad - ours.axes_rad - angle_rad)))
    np.testing.assert_allclose(turned, 0, atol=1e-4)


def test_tracks_do_not_depend_on_their_order_or_company(model):
    forecasters = [GruForecaster.of(model, device=CPU) for _ in range(3)]
    order = np.array([2, 0, 1])
    for time, tracks, car in _random_drive(5):
        whole, permuted, alone = (
            forecaster.step(part, int(time * 1e9), car)
            for forecaster, part in zip(forecasters, (tracks, tracks[order], tracks[1]), strict=True)
        )
    np.testing.assert_allclose(permuted.means, whole.means[order], atol=1e-4)
    np.testing.assert_allclose(alone.means, whole.means[1:2], atol=1e-4)


def test_a_pose_that_comes_and_goes_breaks_nothing(model):
    forecaster = GruForecaster.of(model, device=CPU)
    for index, (time, tracks, car) in enumerate(_random_drive(6)):
        forecasts = forecaster.step(tracks, int(time * 1e9), car if index % 2 else None)
    assert np.isfinite(forecasts.means).all()


def test_gradients_reach_every_weight_and_the_features(model):
    drive = _random_drive(7)
    observations = torch.from_numpy(np.stack([MOTION.observe(tracks, car) for _, tracks, car in drive], axis=1)).float()
    features = torch.randn(3, 5, 2, requires_grad=True)
    with torch.no_grad():
        features[0, 0] = 0
    network = TrajectoryGRU(replace(CONFIG, hidden_size=8, interaction_dim=6))
    windows = make_windows(
        observations,
        labels=torch.tensor([0, 1, 5]),
        features=features,
        neighbours=torch.tensor([[1, 2], [0, -1], [-1, -1]]),
    )
    encoded, state = encode_windows(network, windows)
    futures = network.decode(encoded, state, torch.tensor([1.0, 3.0]), windows.labels)
    (futures.means.square().sum() + futures.stds.sum() + futures.log_probabilities[:, 0].sum()).backward()
    assert all(weights.grad is not None and weights.grad.abs().sum() > 0 for weights in network.parameters())
    assert features.grad is not None
    assert (features.grad[1:].abs().sum(dim=2) > 0).all()
    assert state.observations[0, AXIS].isfinite()
