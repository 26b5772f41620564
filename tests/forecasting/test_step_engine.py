"""One instant as a function without state: the same numbers as whole sequences, whatever engine runs it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.windows import make_windows

from perception.forecasting import GruConfig, TrajectoryGRU
from perception.forecasting.batch_prediction import predict_windows
from perception.forecasting.interaction import NEIGHBOURS
from perception.forecasting.step_engine import MEMORY, OUTPUTS, StepAndDecode, TorchEngine, example_inputs

CPU = torch.device("cpu")
IMAGE = GruConfig(hidden_size=12, input_size=10, feature_size=3, modes=2, interaction_dim=5)
CONFIGS = [IMAGE, replace(IMAGE, reference_frame="ground", horizon_s=4.0), replace(IMAGE, interaction_dim=0)]
TIMES_S = torch.tensor([0.5, 2.0])


def _model(config: GruConfig) -> TrajectoryGRU:
    torch.manual_seed(7)
    return TrajectoryGRU(config).eval()


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("count", [1, 2, 9])
def test_outputs_have_their_names_and_shapes(config, count):
    model = _model(config)
    inputs = example_inputs(model, count, torch.Generator().manual_seed(0))
    outputs = TorchEngine(model, TIMES_S, CPU)(inputs)
    size = model.motion.dimensions
    assert tuple(outputs) == OUTPUTS
    assert outputs["log_probabilities"].shape == (count, 2)
    assert outputs["means"].shape == outputs["stds"].shape == (count, 2, 2, size)
    for name in MEMORY:
        assert outputs[f"next_{name}"].shape == inputs[name].shape
        assert outputs[f"next_{name}"].isfinite().all()
    assert (outputs["stds"] > 0).all()
    assert inputs["neighbours"].shape == (count, NEIGHBOURS)
    assert int(inputs["neighbours"].max()) < count


@pytest.mark.parametrize("config", CONFIGS)
def test_steps_one_after_another_equal_the_whole_sequence(config):
    model, generator = _model(config), torch.Generator().manual_seed(2)
    module, count = StepAndDecode(model, TIMES_S), 4
    start = model.motion.example(count, generator)
    observations = torch.stack(
        [start + 0.01 * index * torch.rand(start.shape, generator=generator) for index in range(5)], 1
    )
    features = torch.randn(count, 5, 3, generator=generator)
    features[1, 2] = 0
    neighbours = torch.tensor([[1, 2, -1], [3, -1, -1], [0, 1, 3], [-1, -1, -1]])
    windows = make_windows(
        observations, labels=torch.tensor([0, 5, 2, 0]), features=features, neighbours=neighbours,
        unseen_s=0.1 * torch.arange(5.0).expand(count, 5),
    )  # fmt: skip
    memory = (torch.zeros(count, config.hidden_size), *model.motion.start(observations[:, 0]))
    with torch.no_grad():
        for index in range(5):
            outputs = module(
                observations[:, index], windows.dt_s[:, index], windows.unseen_s[:, index], windows.labels,
                features[:, index], neighbours, *memory,
            )  # fmt: skip
            memory = outputs[3:]
    expected, state = predict_windows(model, windows, TIMES_S)
    for found, wanted in zip(outputs[:3], expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    for found, wanted in zip(memory[1:], state, strict=True):
        torch.testing.assert_close(found, wanted)


def test_examples_are_the_same_for_the_same_seed_and_move():
    model = _model(IMAGE)
    first, again = (example_inputs(model, 5, torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["observations"], first["last"])
    assert (first["neighbours"] == -1).any()
    assert (first["neighbours"] >= 0).any()
