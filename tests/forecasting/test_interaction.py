"""What objects learn of one another: order, absence, and who is near."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ground_tracks import make_ground_tracks
from support.tracks import make_tracks
from support.windows import make_windows

from perception.forecasting import GruConfig, GruForecaster, TrajectoryGRU
from perception.forecasting.batch_prediction import encode_windows, predict_windows
from perception.forecasting.interaction import InteractionPooling, nearest_neighbours
from perception.forecasting.track_dataset import Windows

CPU = torch.device("cpu")
IMAGE = GruConfig(hidden_size=12, input_size=10, feature_size=2, interaction_dim=6)
GROUND = replace(IMAGE, reference_frame="ground", horizon_s=4.0)
TIMES_S = torch.tensor([0.5, 2.0])


def _model(config: GruConfig) -> TrajectoryGRU:
    torch.manual_seed(5)
    return TrajectoryGRU(config).eval()


def _windows(model: TrajectoryGRU, neighbours: list[list[int]]) -> Windows:
    count = len(neighbours)
    generator = torch.Generator().manual_seed(1)
    start = model.motion.example(count, generator)[:, None]
    steps = 0.02 * torch.rand(count, 4, start.shape[-1], generator=generator)
    return make_windows(start + steps.cumsum(dim=1), neighbours=torch.tensor(neighbours))


@pytest.fixture
def pooling() -> InteractionPooling:
    torch.manual_seed(6)
    return InteractionPooling(encoded_size=5, relation_size=3, size=4)


def test_the_order_of_the_neighbours_changes_nothing(pooling):
    generator = torch.Generator().manual_seed(0)
    encoded, relations = torch.randn(6, 5, generator=generator), torch.randn(6, 4, 3, generator=generator)
    neighbours = torch.tensor([[1, 2, 3, -1], [0, -1, 4, 5], [5, 4, 3, 1], [-1, -1, -1, 0], [0, 1, 2, 3], [-1] * 4])
    pooled = pooling(encoded, relations, neighbours)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(pooling(encoded, relations[:, order], neighbours[:, order]), pooled)
    assert (pooled[:5] != 0).any(dim=1).all()
    assert pooled.unique(dim=0).shape[0] == 6


def test_nobody_near_is_zeros(pooling):
    pooled = pooling(torch.randn(2, 5), torch.randn(2, 3, 3), torch.tensor([[-1, -1, -1], [0, -1, -1]]))
    assert torch.all(pooled[0] == 0)
    assert torch.any(pooled[1] != 0)


def test_neighbour_slots_that_nobody_fills_change_nothing(pooling):
    encoded, relations = torch.randn(3, 5), torch.randn(3, 2, 3)
    neighbours = torch.tensor([[1, 2], [0, -1], [1, 0]])
    pooled = pooling(encoded, relations, neighbours)
    wider = pooling(
        encoded,
        torch.cat([relations, torch.randn(3, 3, 3)], dim=1),
        torch.nn.functional.pad(neighbours, (0, 3), value=-1),
    )
    torch.testing.assert_close(wider, pooled)


def test_what_is_pooled_is_the_maximum_and_the_mean_of_the_messages(pooling):
    encoded, relations = torch.randn(3, 5), torch.randn(3, 2, 3)
    both = pooling(encoded, relations, torch.tensor([[1, 2], [-1, -1], [-1, -1]]))[0]
    one = pooling(encoded, relations[:, :1], torch.tensor([[1], [-1], [-1]]))[0, :4]
    other = pooling(encoded, relations[:, 1:], torch.tensor([[2], [-1], [-1]]))[0, :4]
    torch.testing.assert_close(both, torch.cat([torch.maximum(one, other), (one + other) / 2]))


@pytest.mark.parametrize("config", [IMAGE, GROUND])
def test_permuted_neighbours_and_permuted_objects_have_the_same_futures(config):
    model = _model(config)
    windows = _windows(model, [[1, 2, -1], [2, 0, 3], [0, -1, -1], [-1, -1, -1]])
    futures = predict_windows(model, windows, TIMES_S)[0].means
    turned = replace(windows, neighbours=windows.neighbours[:, [2, 0, 1]])
    torch.testing.assert_close(predict_windows(model, turned, TIMES_S)[0].means, futures)
    order = torch.tensor([3, 1, 0, 2])
    position_of = torch.cat([order.argsort(), torch.tensor([-1])])  # the last one is where -1 points
    moved = Windows(**{name: None if part is None else part[order] for name, part in vars(windows).items()})
    moved = replace(moved, neighbours=position_of[moved.neighbours])
    torch.testing.assert_close(predict_windows(model, moved, TIMES_S)[0].means, futures[order])


@pytest.mark.parametrize("config", [IMAGE, GROUND])
def test_neighbours_are_pooled_and_nobody_equals_silence(config):
    model = _model(config)
    near, nobody, silent = (
        predict_windows(model, _windows(model, neighbours), TIMES_S)[0].means
        for neighbours in ([[1, 2], [0, 2], [1, 0]], [[-1, -1]] * 3, [[], [], []])
    )
    torch.testing.assert_close(nobody, silent)
    assert not torch.allclose(near, nobody, atol=1e-6)


@pytest.mark.parametrize("config", [IMAGE, GROUND])
def test_switched_off_there_is_no_interaction(config):
    model = _model(replace(config, interaction_dim=0))
    assert model.interaction is None
    near, alone = (encode_windows(model, _windows(model, who))[0] for who in ([[1, 2], [0, 2], [1, 0]], [[], [], []]))
    assert torch.equal(near, alone)


def test_a_turned_and_moved_world_interacts_alike():
    model = _model(GROUND)
    windows = _windows(model, [[1, 2], [0, 2], [1, 0]])
    angle, seen = torch.tensor(2.0), windows.observations.clone()
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    for columns in (slice(0, 2), slice(2, 4), slice(10, 12)):
        seen[..., columns] = seen[..., columns] @ turn.T
    seen[..., 6] += angle
    seen[..., 12] += angle
    for columns in (slice(0, 2), slice(10, 12)):
        seen[..., columns] += torch.tensor([30.0, -20.0])
    covariances = torch.diag_embed(seen[..., 7:9]) + seen[..., 9, None, None] * (1 - torch.eye(2))
    turned = turn @ covariances @ turn.T
    seen[..., 7:9], seen[..., 9] = turned.diagonal(dim1=-2, dim2=-1), turned[..., 0, 1]
    here, there = (predict_windows(model, w, TIMES_S)[0].means for w in (windows, replace(windows, observations=seen)))
    torch.testing.assert_close(there, here @ turn.T + torch.tensor([30.0, -20.0]), atol=2e-3, rtol=1e-4)


def test_gradients_reach_the_neighbours_and_the_interaction():
    model = _model(GROUND)
    windows = _windows(model, [[1, -1], [-1, -1], [-1, -1]])
    seen = windows.observations.requires_grad_(True)
    encoded, state = encode_windows(model, windows)
    model.decode(encoded, state, TIMES_S, windows.labels).means[0].square().sum().backward()
    assert seen.grad is not None
    assert seen.grad[1].abs().sum() > 0
    assert seen.grad[2].abs().sum() == 0
    assert all(weights.grad.abs().sum() > 0 for weights in model.interaction.parameters())


def _brute_force(positions: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """(N, count): distances to the nearest others of the same group; infinite where there are no more."""
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    apart[groups[:, None] != groups] = np.inf
    np.fill_diagonal(apart, np.inf)
    apart = np.sort(np.pad(apart, ((0, 0), (0, count)), constant_values=np.inf), axis=1)
    return apart[:, :count]


@given(
    positions=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)), max_size=30),
    count=st.integers(1, 9),
)
@settings(max_examples=150, deadline=None)
def test_nearest_neighbours_against_brute_force_with_coinciding_positions(positions, count):
    """Positions lie on few points of a lattice, so that many coincide."""
    columns = np.array(positions, int).reshape(-1, 3)
    xy, groups = columns[:, :2].astype(float), columns[:, 2]
    found = nearest_neighbours(xy, groups, count)
    assert found.shape == (len(xy), count)
    for row, others in enumerate(found):
        real = others[others >= 0]
        assert row not in real
        assert len(set(real)) == len(real)
        assert (groups[real] == groups[row]).all()
        assert (others[len(real) :] == -1).all()
    apart = np.where(found >= 0, np.linalg.norm(xy[found] - xy[:, None], axis=2), np.inf) if len(xy) else found
    np.testing.assert_allclose(apart, _brute_force(xy, groups, count) if len(xy) else found)


def test_twenty_objects_at_one_position_interact_with_others_and_not_themselves():
    found = nearest_neighbours(np.zeros((20, 2)))
    assert found.shape == (20, 8)
    assert (found >= 0).all()
    assert (found != np.arange(20)[:, None]).all()


def test_without_groups_all_are_together():
    found = nearest_neighbours(np.array([[0.0, 0], [10, 0], [1, 0]]), count=2)
    assert found.tolist() == [[2, 1], [2, 0], [0, 1]]
    assert nearest_neighbours(np.array([[3.0, 4.0]]), count=2).tolist() == [[-1, -1]]


def test_in_the_image_only_those_of_the_same_camera_are_pooled():
    model = _model(IMAGE)
    boxes = np.array([[0.3, 0.5, 0.1, 0.1], [0.5, 0.5, 0.1, 0.1]])
    tracks = make_tracks(boxes, np.array([1, 2]))

    def forecast(cameras: list[str], rows: list[int]) -> np.ndarray:
        seen = replace(tracks, cameras=np.array(cameras))[np.array(rows)]
        return GruForecaster.of(model, device=CPU).step(seen, 0).means

    alone = forecast(["front", "front"], [0])
    np.testing.assert_allclose(forecast(["front", "back"], [0, 1])[:1], alone, atol=1e-6)
    assert not np.allclose(forecast(["front", "front"], [0, 1])[:1], alone, atol=1e-6)


def test_online_the_same_is_pooled_as_in_windows():
    """Ten instants of a crowd in which one goes and one comes: its steps, and its windows at once."""
    model, rng = _model(GROUND), np.random.default_rng(1)
    forecaster = GruForecaster.of(model, device=CPU, dt_s=0.5)
    start, velocities = rng.uniform(-20, 20, (12, 2)), rng.normal(size=(12, 2)) * 3
    rows = []
    for index in range(10):
        tracks = make_ground_tracks(start + velocities * index * 0.1, np.arange(12), velocities_mps=velocities)
        forecasts = forecaster.step(tracks, index * 10**8)
        rows.append(model.motion.observe(tracks, None))
    neighbours = torch.from_numpy(nearest_neighbours(rows[-1][:, :2]))
    windows = make_windows(torch.from_numpy(np.stack(rows, axis=1)).float(), neighbours=neighbours)
    expected = predict_windows(model, windows, torch.arange(1, 9) * 0.5)[0]
    np.testing.assert_allclose(forecasts.means, expected.means, atol=1e-3)
    np.testing.assert_allclose(forecasts.probabilities, expected.log_probabilities.exp(), atol=1e-4)


def test_weights_of_version_0_1_load():
    model, other = _model(GROUND), TrajectoryGRU(GROUND)
    model.sigma_correction += 0.5
    model.mode_correction += 0.25
    renamed = {"interaction": "neighbourhood", "sigma": "spread", "mode": "choice"}
    state = model.state_dict()
    for new, old in renamed.items():
        state = {f"{old}{name[len(new) :]}" if name.startswith(new) else name: value for name, value in state.items()}
    assert {"neighbourhood", "spread_correction", "choice_correction"} <= {name.partition(".")[0] for name in state}
    other.load_state_dict(state)
    for name, value in other.state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[name], rtol=0, atol=0)
