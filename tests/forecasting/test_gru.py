from dataclasses import asdict

import numpy as np
import pytest
import torch

from perception.errors import UsageError
from perception.forecasting import GruConfig, TrajectoryGRU, read_gru, save_gru
from perception.forecasting.motion import MotionState
from perception.forecasting.offline import encode_sequences, predict_expected
from perception.weights import save_weights

CONFIG = GruConfig(hidden_size=24, input_size=16, feature_size=5, feature_space="space")


@pytest.fixture
def model() -> TrajectoryGRU:
    torch.manual_seed(3)
    return TrajectoryGRU(CONFIG).eval()


def _sequences(count: int = 4, length: int = 7) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    steps = torch.randn(count, length, 4, generator=generator) * torch.tensor([0.01, 0.01, 0.001, 0.001])
    boxes = torch.tensor([0.5, 0.5, 0.1, 0.1]) + steps.cumsum(dim=1)
    dt = torch.full((count, length), 0.1)
    dt[:, 0] = 0
    return {
        "observations": boxes,
        "dt_s": dt,
        "unseen_s": torch.zeros(count, length),
        "labels": torch.tensor([0, 1, 5, 2])[:count],
        "features": torch.randn(count, length, 5, generator=generator),
    }


def test_futures_have_the_promised_shapes_and_probabilities(model):
    encoded, state = encode_sequences(model, **_sequences())
    futures = model.decode(encoded, state, torch.tensor([0.1, 1.0, 3.0]))
    assert futures.means.shape == futures.stds.shape == (4, CONFIG.modes, 3, 4)
    assert (futures.stds > 0).all()
    assert (futures.means[..., 2:] > 0).all()
    torch.testing.assert_close(futures.log_probabilities.exp().sum(dim=1), torch.ones(4))
    by_hand = (futures.log_probabilities.exp()[:, :, None, None] * futures.means).sum(dim=1)
    torch.testing.assert_close(futures.expected, by_hand)


def test_futures_start_where_the_object_is(model):
    encoded, state = encode_sequences(model, **_sequences())
    now = model.decode(encoded, state, torch.tensor([0.0])).means[:, :, 0]
    torch.testing.assert_close(now, state.observations[:, None].expand_as(now))


def test_a_time_means_the_same_whatever_other_times_are_asked(model):
    encoded, state = encode_sequences(model, **_sequences())
    many = model.decode(encoded, state, torch.tensor([0.5, 1.0, 1.5]))
    one = model.decode(encoded, state, torch.tensor([1.0]))
    torch.testing.assert_close(many.means[:, :, 1], one.means[:, :, 0])


def test_tracks_do_not_depend_on_their_order_or_company(model):
    sequences = _sequences()
    encoded, _ = encode_sequences(model, **sequences)
    order = torch.tensor([2, 0, 3, 1])
    permuted, _ = encode_sequences(model, **{name: value[order] for name, value in sequences.items()})
    torch.testing.assert_close(permuted, encoded[order])


def test_a_feature_of_zeros_is_no_feature(model):
    sequences = _sequences()
    none, _ = encode_sequences(model, **{**sequences, "features": None})
    zeros, _ = encode_sequences(model, **{**sequences, "features": torch.zeros_like(sequences["features"])})
    some, _ = encode_sequences(model, **sequences)
    torch.testing.assert_close(none, zeros)
    assert not torch.allclose(none, some)


def test_the_loss_reaches_the_features(model):
    """The way by which a forecast can teach the CNN."""
    sequences = _sequences()
    features = sequences["features"].requires_grad_(True)
    encoded, state = encode_sequences(model, **{**sequences, "features": features})
    model.decode(encoded, state, torch.tensor([1.0])).expected.sum().backward()
    assert features.grad is not None
    assert (features.grad.abs().sum(dim=2) > 0).all()


def test_batches_of_a_benchmark_do_not_change_the_answers(model):
    sequences = {name: value.numpy() for name, value in _sequences().items() if name != "features"}
    boxes, labels = sequences.pop("observations"), sequences.pop("labels")
    ask = {"dt_s": sequences["dt_s"], "labels": labels, "times_s": [0.5, 1.0]}
    whole = predict_expected(model, boxes, **ask)
    parts = predict_expected(model, boxes, **ask, batch_size=3)
    torch.testing.assert_close(torch.from_numpy(whole), torch.from_numpy(parts))


def test_weights_survive_the_disk_in_half_precision(model, tmp_path):
    path = tmp_path / "gru.safetensors"
    save_gru(model, path)
    again = read_gru(path)
    assert again.config == CONFIG
    encoded, state = encode_sequences(model, **_sequences())
    encoded_again, _ = encode_sequences(again, **_sequences())
    torch.testing.assert_close(encoded_again, encoded, atol=5e-3, rtol=5e-3)
    assert isinstance(state, MotionState)


def test_weights_of_another_network_are_refused(model, tmp_path):
    path = tmp_path / "other.safetensors"
    save_weights(path, {"x": torch.zeros(1)}, kind="detector", config={})
    with pytest.raises(UsageError, match="detector"):
        read_gru(path)
    save_weights(path, model.state_dict(), kind="forecaster", config={"hidden_size": 24})
    with pytest.raises(UsageError, match="not built like TrajectoryGRU"):
        read_gru(path)


def test_weights_from_before_the_ground_frame_are_read_as_image_weights(model, tmp_path):
    path = tmp_path / "old.safetensors"
    config = {name: value for name, value in asdict(CONFIG).items() if name != "reference_frame"}
    save_weights(path, model.state_dict(), kind="forecaster", config=config)
    assert read_gru(path).config == CONFIG
    save_weights(path, model.state_dict(), kind="forecaster", config={**asdict(CONFIG), "reference_frame": "moon"})
    with pytest.raises(UsageError, match="moon"):
        read_gru(path)
    save_weights(path, model.state_dict(), kind="forecaster", config={**asdict(CONFIG), "wings": 2})
    with pytest.raises(UsageError, match="wings"):
        read_gru(path)


def test_the_image_network_computes_what_it_computed_before_the_ground_frame():
    """Weights that need no random numbers; the numbers are those of the first version of the network."""
    old = TrajectoryGRU(GruConfig(hidden_size=5, input_size=6, feature_size=3, modes=2)).eval()
    with torch.no_grad():
        for index, (_, weights) in enumerate(sorted(old.named_parameters())):
            weights.copy_(0.3 * torch.sin(torch.arange(weights.numel()) * 0.7 + index).view_as(weights))
    steps = np.arange(5)[:, None] * np.array([0.02, -0.01, 0.002, 0.001])
    boxes = (np.array([0.4, 0.6, 0.1, 0.2]) + steps + steps**2 * 3)[None]
    futures = predict_expected(
        old,
        boxes,
        dt_s=np.array([[0, 0.1, 0.1, 0.3, 0.1]]),
        unseen_s=np.array([[0, 0, 0, 0.2, 0]]),
        labels=np.array([5]),
        times_s=np.array([0.5, 3.0]),
    )
    expected = [[-0.16399159, 1.9631189, 0.76444113, 0.03954698], [0.8100455, 0.30646726, 0.82245916, 1.4423279]]
    np.testing.assert_allclose(futures[0], expected, rtol=1e-5)
