"""The average of weights files: numbers, metadata, and what does not fit together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from perception.detection import read_roadnet
from perception.errors import UsageError
from perception.forecasting import GruConfig, TrajectoryGRU, read_gru, save_gru
from perception.training.engine.weight_averaging import average_weights
from perception.weights import bundled_folder, read_weights, save_weights

STATE = {"layer": torch.tensor([1.0, 2.0]), "steps": torch.tensor(3)}


def _write(path: Path, values: list[float], *, config: dict[str, object] | None = None, **extras: str) -> Path:
    state = {**STATE, "layer": torch.tensor(values)}
    save_weights(path, state, kind="forecaster", config=config or {"size": 2}, extras=extras)
    return path


def test_the_average_is_made_parameter_by_parameter_and_records_of_what(tmp_path):
    first = _write(tmp_path / "a.safetensors", [1.0, 2.0], space="x", seed="0")
    second = _write(tmp_path / "b.safetensors", [3.0, -2.0], space="x", seed="1")
    average_weights([first, second], [0.75, 0.25], tmp_path / "out.safetensors")
    found = read_weights(tmp_path / "out.safetensors", kind="forecaster")
    assert found.state["layer"].tolist() == [1.5, 1.0]
    assert found.state["steps"].item() == 3
    assert found.config == {"size": 2}
    assert found.extras["space"] == "x" and "seed" not in found.extras
    assert found.extras["averaged_from"].startswith("0.75 ")


def test_a_model_averaged_with_itself_is_itself(tmp_path):
    """The bundled detector, too, whose name of its features stays."""
    path = bundled_folder() / "roadnet.safetensors"
    average_weights([path, path], [0.5, 0.5], tmp_path / "same.safetensors")
    (model, space), (same, same_space) = read_roadnet(path), read_roadnet(tmp_path / "same.safetensors")
    assert space == same_space
    torch.testing.assert_close(same.state_dict(), model.state_dict(), rtol=0, atol=0)


def test_the_average_of_forecasters_is_a_forecaster(tmp_path):
    paths = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        paths.append(tmp_path / f"{seed}.safetensors")
        # Stages of one recipe may differ in dropout.
        save_gru(TrajectoryGRU(GruConfig(hidden_size=8, dropout=0.1 * seed)), paths[-1])
    average_weights(paths, [0.3, 0.7], tmp_path / "out.safetensors")
    found, first, second = (read_gru(path).decoder[0].weight for path in (tmp_path / "out.safetensors", *paths))
    torch.testing.assert_close(found, 0.3 * first + 0.7 * second, atol=2e-4, rtol=0)


@pytest.mark.parametrize(
    ("shares", "word"),
    [([1.0], "one for each"), ([0.5, 0.6], "sum to 1.1"), ([1.5, -0.5], "positive"), ([0.5, float("nan")], "positive")],
)
def test_shares_that_make_no_average_are_refused(tmp_path, shares, word):
    paths = [_write(tmp_path / name, [1.0, 2.0]) for name in ("a.safetensors", "b.safetensors")]
    with pytest.raises(UsageError, match=word):
        average_weights(paths, shares, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_weights_that_do_not_fit_are_refused(tmp_path):
    first = _write(tmp_path / "a.safetensors", [1.0, 2.0])
    output = tmp_path / "out.safetensors"
    other = _write(tmp_path / "b.safetensors", [1.0, 2.0], config={"size": 3})
    with pytest.raises(UsageError, match="size 3 instead of 2"):
        average_weights([first, other], [0.5, 0.5], output)
    longer = _write(tmp_path / "c.safetensors", [1.0, 2.0, 3.0])
    with pytest.raises(UsageError, match=r"layer has shape \(3,\)"):
        average_weights([first, longer], [0.5, 0.5], output)
    with pytest.raises(UsageError, match="holds weights of a detector"):
        average_weights([first, bundled_folder() / "roadnet.safetensors"], [0.5, 0.5], output)
    with pytest.raises(UsageError, match="one of the files"):
        average_weights([first, first], [0.5, 0.5], first)
    with pytest.raises(UsageError, match="at least two"):
        average_weights([first], [1.0], output)
    (tmp_path / "d.safetensors").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="damaged"):
        average_weights([tmp_path / "d.safetensors", first], [0.5, 0.5], output)
    assert not output.exists()
