from dataclasses import asdict, replace

import pytest
import torch
from support.windows import image_observations, make_windows

from perception.errors import UsageError
from perception.forecasting import GruConfig, TrajectoryGRU, read_gru, save_gru
from perception.forecasting.batch_prediction import encode_windows, predict_windows
from perception.forecasting.features.image_motion import BOX
from perception.forecasting.features.motion import MotionState
from perception.forecasting.track_dataset import Windows
from perception.weights import save_weights

CONFIG = GruConfig(hidden_size=24, input_size=16, feature_size=5, feature_space="space")
LABELS = torch.tensor([0, 1, 5, 2])


@pytest.fixture
def model() -> TrajectoryGRU:
    torch.manual_seed(3)
    return TrajectoryGRU(CONFIG).eval()


def _windows(count: int = 4, length: int = 7) -> Windows:
    generator = torch.Generator().manual_seed(1)
    steps = torch.randn(count, length, 4, generator=generator) * torch.tensor([0.01, 0.01, 0.001, 0.001])
    boxes = torch.tensor([0.5, 0.5, 0.1, 0.1]) + steps.cumsum(dim=1)
    stds = 0.01 * torch.rand(count, length, 4, generator=generator)
    features = torch.randn(count, length, 5, generator=generator)
    return make_windows(image_observations(boxes, stds), labels=LABELS[:count], features=features)


def _rows(windows: Windows, rows: torch.Tensor) -> Windows:
    return Windows(**{name: part[rows] for name, part in vars(windows).items()})


def test_futures_have_the_promised_shapes_and_probabilities(model):
    encoded, state = encode_windows(model, _windows())
    futures = model.decode(encoded, state, torch.tensor([0.1, 1.0, 3.0]), LABELS)
    assert futures.means.shape == futures.stds.shape == (4, CONFIG.modes, 3, 4)
    assert (futures.stds > 0).all()
    assert (futures.means[..., 2:] > 0).all()
    torch.testing.assert_close(futures.log_probabilities.exp().sum(dim=1), torch.ones(4))
    by_hand = (futures.log_probabilities.exp()[:, :, None, None] * futures.means).sum(dim=1)
    torch.testing.assert_close(futures.expected, by_hand)


def test_futures_start_where_the_object_is(model):
    encoded, state = encode_windows(model, _windows())
    now = model.decode(encoded, state, torch.tensor([0.0]), LABELS).means[:, :, 0]
    torch.testing.assert_close(now, state.observations[:, None, BOX].expand_as(now))


def test_a_time_means_the_same_whatever_other_times_are_asked(model):
    encoded, state = encode_windows(model, _windows())
    many = model.decode(encoded, state, torch.tensor([0.5, 1.0, 1.5]), LABELS)
    one = model.decode(encoded, state, torch.tensor([1.0]), LABELS)
    torch.testing.assert_close(many.means[:, :, 1], one.means[:, :, 0])


def test_the_first_future_is_the_most_probable_one(model):
    """By construction, whatever the weights say."""
    with torch.no_grad():
        model.decoder[2].weight *= 30
    probabilities = predict_windows(model, _windows(), torch.tensor([1.0]))[0].log_probabilities
    assert (probabilities.diff(dim=1) <= 0).all()
    assert probabilities.diff(dim=1).min() < -0.5


def test_tracks_do_not_depend_on_their_order_or_company(model):
    windows, order = _windows(), torch.tensor([2, 0, 3, 1])
    encoded, _ = encode_windows(model, windows)
    permuted, _ = encode_windows(model, _rows(windows, order))
    torch.testing.assert_close(permuted, encoded[order])
    alone, _ = encode_windows(model, _rows(windows, order[:1]))
    torch.testing.assert_close(alone, encoded[order[:1]])


def test_what_follows_the_length_of_a_window_changes_nothing(model):
    windows = _windows()
    short = torch.tensor([7, 3, 1, 5])
    ragged = replace(windows, lengths=short)
    changed = replace(ragged, observations=windows.observations.clone(), dt_s=windows.dt_s.clone())
    for row, length in enumerate(short):
        changed.observations[row, length:] = 0.9
        changed.dt_s[row, length:] = 0
    encoded, state = encode_windows(model, ragged)
    again, state_again = encode_windows(model, changed)
    torch.testing.assert_close(again, encoded)
    for part, part_again in zip(state, state_again, strict=True):
        torch.testing.assert_close(part_again, part)
    for row, length in enumerate(short):
        cut = make_windows(
            windows.observations[row : row + 1, :length],
            labels=windows.labels[row : row + 1],
            features=windows.features[row : row + 1, :length],
        )
        torch.testing.assert_close(encode_windows(model, cut)[0], encoded[row : row + 1])


def test_a_feature_of_zeros_is_no_feature(model):
    windows = _windows()
    none, _ = encode_windows(model, replace(windows, features=None))
    zeros, _ = encode_windows(model, replace(windows, features=torch.zeros_like(windows.features)))
    some, _ = encode_windows(model, windows)
    torch.testing.assert_close(none, zeros)
    assert not torch.allclose(none, some)


def test_how_sure_the_tracker_is_of_a_box_is_used(model):
    windows = _windows()
    exact = windows.observations.clone()
    exact[..., 4:] = 0
    sure, _ = encode_windows(model, replace(windows, observations=exact))
    assert not torch.allclose(sure, encode_windows(model, windows)[0])


def test_the_loss_reaches_the_features(model):
    """The way by which a forecast can teach the CNN."""
    windows = _windows()
    features = windows.features.requires_grad_(True)
    encoded, state = encode_windows(model, windows)
    model.decode(encoded, state, torch.tensor([1.0]), LABELS).expected.sum().backward()
    assert features.grad is not None
    assert (features.grad.abs().sum(dim=2) > 0).all()


def test_weights_survive_the_disk_in_half_precision(model, tmp_path):
    path = tmp_path / "gru.safetensors"
    save_gru(model, path)
    again = read_gru(path)
    assert again.config == CONFIG
    encoded, state = encode_windows(model, _windows())
    encoded_again, _ = encode_windows(again, _windows())
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


def test_weights_state_all_that_the_network_is_built_from(model, tmp_path):
    path = tmp_path / "other.safetensors"
    for name in asdict(CONFIG):
        less = {field: value for field, value in asdict(CONFIG).items() if field != name}
        save_weights(path, model.state_dict(), kind="forecaster", config=less)
        with pytest.raises(UsageError, match=name):
            read_gru(path)
    save_weights(path, model.state_dict(), kind="forecaster", config={**asdict(CONFIG), "reference_frame": "moon"})
    with pytest.raises(UsageError, match="moon"):
        read_gru(path)
    save_weights(path, model.state_dict(), kind="forecaster", config={**asdict(CONFIG), "wings": 2})
    with pytest.raises(UsageError, match="wings"):
        read_gru(path)
    save_weights(path, model.state_dict(), kind="forecaster", config={**asdict(CONFIG), "interaction_dim": 8})
    with pytest.raises(UsageError, match=str(path)):
        read_gru(path)


@pytest.mark.parametrize("name", [name for name in asdict(CONFIG) if name != "feature_space"])
@pytest.mark.parametrize(
    "value", [None, "x", [], {}, -1, 1.5, 10**6, 2**80, 1e300, True, [1, 2]], ids=lambda value: str(value)[:12]
)
def test_no_configuration_of_a_file_builds_another_network(model, tmp_path, name, value):
    if asdict(CONFIG)[name] == value or (name in ("dropout", "horizon_s") and value in (True, 1.5)):
        pytest.skip("that is a possible one")
    path = tmp_path / "other.safetensors"
    save_weights(path, model.state_dict(), kind="forecaster", config={**asdict(CONFIG), name: value})
    # What no number of a file can be is refused before its name is known.
    with pytest.raises(UsageError, match="other.safetensors: does not state" if value == 1e300 else name):
        read_gru(path)


def test_a_stated_size_costs_no_memory(model, tmp_path, monkeypatch):
    path = tmp_path / "large.safetensors"
    save_weights(path, model.state_dict(), kind="forecaster", config={**asdict(CONFIG), "hidden_size": 4096})

    def allocated(tensor, *_):
        assert tensor.is_meta, "it was built before its shapes were compared"
        return tensor

    monkeypatch.setattr(torch.nn.init, "uniform_", allocated)
    with pytest.raises(UsageError, match="its tensors do not fit TrajectoryGRU"):
        read_gru(path)


def test_a_class_is_calibrated_for_itself_and_its_spreads_alone(model, tmp_path):
    windows = _windows()
    before, _ = predict_windows(model, windows, torch.tensor([1.0, 3.0]))
    model.sigma_correction[0, :, 1] = torch.linalg.lstsq(
        model.spread_curves(torch.linspace(0.1, 3, 8)), torch.full((8, 1), 0.7)
    ).solution[:, 0]
    save_gru(model, tmp_path / "gru.safetensors")
    after, _ = predict_windows(read_gru(tmp_path / "gru.safetensors"), windows, torch.tensor([1.0, 3.0]))
    torch.testing.assert_close(after.means, before.means, atol=1e-3, rtol=1e-2)
    ratios = (after.stds / before.stds).log()
    torch.testing.assert_close(ratios[0, ..., 1], torch.full_like(ratios[0, ..., 1], 0.7), atol=0.02, rtol=0)
    assert ratios[1:].abs().max() < 0.02 and ratios[0, ..., [0, 2, 3]].abs().max() < 0.02


def test_weights_without_a_calibration_are_read(model, tmp_path):
    calibrations = ("sigma_correction", "mode_correction")
    state = {name: value for name, value in model.state_dict().items() if name not in calibrations}
    save_weights(tmp_path / "old.safetensors", state, kind="forecaster", config=asdict(CONFIG))
    read = read_gru(tmp_path / "old.safetensors")
    assert not read.sigma_correction.any() and not read.mode_correction.any()
