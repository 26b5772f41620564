from dataclasses import replace

import numpy as np
import pytest
import torch
from support.ground_tracks import make_ground_tracks, pose
from support.tracks import make_tracks
from support.windows import make_windows

from perception.errors import UsageError
from perception.forecasting import (
    ConstantVelocityForecaster,
    GruConfig,
    GruForecaster,
    TrajectoryGRU,
    open_forecaster,
    save_gru,
)
from perception.forecasting import registry as opening
from perception.forecasting.batch_prediction import predict_windows

CPU = torch.device("cpu")
CONFIG = GruConfig(hidden_size=24, input_size=16, feature_size=5, feature_space="space")
GROUND = replace(CONFIG, reference_frame="ground", horizon_s=4.0)


@pytest.fixture
def model() -> TrajectoryGRU:
    torch.manual_seed(3)
    return TrajectoryGRU(CONFIG).eval()


def _path(times_s: np.ndarray, start: tuple[float, float]) -> np.ndarray:
    boxes = np.tile([*start, 0.1, 0.08], (len(times_s), 1))
    boxes[:, 0] += 0.1 * times_s + 0.02 * times_s**2
    return boxes


def _expected(
    model: TrajectoryGRU, rows: list[np.ndarray], times_s: np.ndarray, features: np.ndarray, ahead_s: np.ndarray
) -> np.ndarray:
    """What the network says of two tracks at once whose observations (2, O) at each time are ``rows``."""
    windows = make_windows(
        torch.from_numpy(np.stack(rows, axis=1)).float(),
        dt_s=torch.from_numpy(np.tile(np.diff(times_s, prepend=0.0), (2, 1))).float(),
        features=torch.from_numpy(features),
    )
    return predict_windows(model, windows, torch.from_numpy(ahead_s).float())[0].expected.numpy()


def test_feeding_one_instant_after_another_equals_the_whole_sequence(model):
    """Irregular times, features that come and go, tracks that change their order."""
    times = np.array([0.0, 0.1, 0.35, 0.4, 0.6])
    paths = np.stack([_path(times, (0.2, 0.5)), _path(times, (0.6, 0.4))])
    features = np.random.default_rng(0).normal(size=(2, 5, 5)).astype(np.float32)
    features[1, 2] = 0
    forecaster, rows = GruForecaster.of(model, device=CPU), []
    for index, time in enumerate(times):
        order = np.array([0, 1]) if index % 2 else np.array([1, 0])
        tracks = make_tracks(paths[order, index], order + 7, features=features[order, index], space="space")
        forecasts = forecaster.step(tracks, int(time * 1e9))
        rows.append(model.motion.observe(tracks, None)[order])
    expected = _expected(model, rows, times, features, np.arange(1, 31) * 0.1)
    np.testing.assert_array_equal(forecasts.track_ids, order + 7)
    np.testing.assert_allclose(forecasts.expected, expected[order], atol=2e-5)


def test_a_track_that_ends_is_forgotten_and_a_new_one_starts_fresh(model):
    forecaster, fresh = GruForecaster.of(model, device=CPU), GruForecaster.of(model, device=CPU)
    box = np.array([[0.5, 0.5, 0.1, 0.1]])
    forecaster.step(make_tracks(box, np.array([1])), 0)
    forecaster.step(make_tracks(box + np.array([0.05, 0, 0, 0]), np.array([1])), 10**8)
    forecaster.step(make_tracks(np.zeros((0, 4)), np.zeros(0)), 2 * 10**8)
    again = forecaster.step(make_tracks(box, np.array([1])), 3 * 10**8)
    first = fresh.step(make_tracks(box, np.array([1])), 3 * 10**8)
    np.testing.assert_allclose(again.means, first.means)


def test_reset_forgets_everything(model):
    forecaster = GruForecaster.of(model, device=CPU)
    box = np.array([[0.5, 0.5, 0.1, 0.1]])
    first = forecaster.step(make_tracks(box, np.array([1])), 0)
    forecaster.step(make_tracks(box + np.array([0.1, 0, 0, 0]), np.array([1])), 10**8)
    forecaster.reset()
    np.testing.assert_allclose(forecaster.step(make_tracks(box, np.array([1])), 0).means, first.means)


def test_features_of_another_network_are_not_used(model):
    box, features = np.array([[0.5, 0.5, 0.1, 0.1]]), np.ones((1, 5), np.float32)

    def forecast(space: str, values: np.ndarray) -> np.ndarray:
        tracks = make_tracks(box, np.array([1]), features=values, space=space)
        return GruForecaster.of(model, device=CPU).step(tracks, 0).means

    none = GruForecaster.of(model, device=CPU).step(make_tracks(box, np.array([1])), 0).means
    np.testing.assert_allclose(forecast("another", np.ones((1, 9), np.float32)), none)
    assert not np.allclose(forecast("space", features), none)


def test_no_tracks_give_no_futures(model):
    for forecaster in (GruForecaster.of(model, device=CPU), ConstantVelocityForecaster()):
        assert len(forecaster.step(make_tracks(np.zeros((0, 4)), np.zeros(0)), 0)) == 0


def test_constant_velocity_goes_straight_and_spreads():
    tracks = make_tracks(np.array([[0.5, 0.5, 0.1, 0.1]]), np.array([4]), rates=np.array([[0.1, -0.05, 0.0, 0.0]]))
    forecasts = ConstantVelocityForecaster().step(tracks, 0)
    np.testing.assert_allclose(forecasts.means[0, 0, 9], [0.6, 0.45, 0.1, 0.1], atol=1e-9)
    np.testing.assert_allclose(forecasts.stds[0, 0, 9, 0], np.sqrt(2e-4), rtol=1e-6)
    assert (np.diff(forecasts.stds[0, 0, :, 0]) > 0).all()


def test_names_of_forecasters(tmp_path):
    assert isinstance(open_forecaster("constant-velocity", device=CPU).forecaster, ConstantVelocityForecaster)
    for name in ("transformer", str(tmp_path / "missing.safetensors")):  # neither a name nor a file
        with pytest.raises(UsageError):
            open_forecaster(name, device=CPU)


@pytest.fixture
def ground_model() -> TrajectoryGRU:
    torch.manual_seed(4)
    return TrajectoryGRU(GROUND).eval()


def test_on_the_ground_too_feeding_instants_equals_the_whole_sequence(ground_model):
    """Irregular times, a pose that is missing once, features that come and go, tracks that change their order."""
    times, rng = np.array([0.0, 0.1, 0.35, 0.4, 0.6]), np.random.default_rng(0)
    positions = np.array([[10.0, 4], [-5, 20]])[:, None] + np.cumsum(rng.normal(size=(2, 5, 2)), axis=1)
    velocities, headings = 3 * rng.normal(size=(2, 5, 2)), rng.uniform(-3, 3, (2, 5))
    features = rng.normal(size=(2, 5, 5)).astype(np.float32)
    features[1, 2] = 0
    forecaster, rows = GruForecaster.of(ground_model, device=CPU), []
    for index, time in enumerate(times):
        order = np.array([0, 1]) if index % 2 else np.array([1, 0])
        tracks = make_ground_tracks(
            positions[order, index],
            order + 7,
            velocities_mps=velocities[order, index],
            headings_rad=headings[order, index],
            features=features[order, index],
            space="space",
        )
        car = None if index == 2 else pose(2.0 * index, 0.5, 0.1 * index)
        forecasts = forecaster.step(tracks, int(time * 1e9), car)
        rows.append(ground_model.motion.observe(tracks, car)[order])
    expected = _expected(ground_model, rows, times, features, np.arange(1, 41) * 0.1)
    assert forecasts.reference_frame == "ground"
    np.testing.assert_allclose(forecasts.expected, expected[order], atol=2e-4)
    np.testing.assert_allclose(forecasts.axes_rad, rows[-1][order, 6], atol=1e-6)


def test_tracks_of_the_other_frame_are_refused(model, ground_model):
    with pytest.raises(ValueError, match="expected the image frame, got the ground frame"):
        GruForecaster.of(model, device=CPU).step(make_ground_tracks(np.zeros((1, 2)), [1]), 0)
    nothing = GruForecaster.of(ground_model, device=CPU).step(make_tracks(np.zeros((0, 4)), np.zeros(0)), 0)
    assert nothing.reference_frame == "ground"
    assert nothing.means.shape == (0, 6, 40, 2)


def test_constant_velocity_on_the_ground_spreads_along_and_across_its_way():
    covariance = np.eye(8)[None] * 1e-4
    covariance[0, 4:6, 4:6] = [[0.5, 0.5], [0.5, 0.5]]  # unsure along (1, 1), sure across
    tracks = make_ground_tracks(
        np.array([[1.0, 2.0]]), [4], velocities_mps=np.array([[3.0, 3.0]]),
        headings_rad=np.array([np.pi / 4]), covariances=covariance,
    )  # fmt: skip
    forecasts = ConstantVelocityForecaster().step(tracks, 0)
    assert forecasts.means.shape == (1, 1, 40, 2)
    np.testing.assert_allclose(forecasts.means[0, 0, 19], [7.0, 8.0])
    np.testing.assert_allclose(forecasts.axes_rad, [np.pi / 4])
    np.testing.assert_allclose(forecasts.stds[0, 0, 19], [np.sqrt(4 + 1e-4), 1e-2], rtol=1e-3)


def test_each_frame_opens_its_own_weights(model, ground_model, tmp_path, monkeypatch):
    for found, name in ((model, "image"), (ground_model, "ground")):
        save_gru(found, tmp_path / f"{name}.safetensors")
    forecaster, *_ = open_forecaster(str(tmp_path / "ground.safetensors"), device=CPU, reference_frame="ground")
    assert len(forecaster.step(make_ground_tracks(np.zeros((2, 2)), [1, 2]), 0)) == 2
    for own, other in (("image", "ground"), ("ground", "image")):
        with pytest.raises(UsageError, match=f"forecasts in the {own} frame") as error:
            open_forecaster(str(tmp_path / f"{own}.safetensors"), device=CPU, reference_frame=other)
        assert str(error.value).count("\n") == 0
    monkeypatch.setattr(opening, "bundled_folder", lambda: tmp_path)
    forecaster, reason, _ = open_forecaster("auto", device=CPU, reference_frame="ground")
    assert isinstance(forecaster, ConstantVelocityForecaster)
    assert "trajectory-gru-ground" in reason
    save_gru(ground_model, tmp_path / "trajectory-gru-ground.safetensors")
    assert isinstance(open_forecaster("auto", device=CPU, reference_frame="ground").forecaster, GruForecaster)
