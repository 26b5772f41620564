"""Learning a public benchmark: batches, what is changed in them, the figures that weights are chosen by."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from support.benchmark_files import write_ethucy, write_nuscenes

from perception.benchmarks import ETHUCY, NUSCENES
from perception.errors import UsageError
from perception.forecasting import TrajectoryGRU
from perception.forecasting.features.ground_motion import CAR_XY, SIZE, VARIANCE, VELOCITY, XY
from perception.forecasting.trajectory_gru import Futures
from perception.training.engine.config import read_training_config
from perception.training.engine.trainer import TrainingSettings, train
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.data_modules.benchmark import BenchmarkDataConfig, BenchmarkDataModule
from perception.training.forecaster.data_modules.image import ImageDataConfig
from perception.training.forecaster.loss import LossWeights, benchmark_loss
from perception.training.forecaster.task import forecaster_task, load_data_module

ROOT = Path(__file__).parents[4]
CPU = torch.device("cpu")
SMALL = {"hidden_size": 8, "modes": 3}


def _config(name: str, *, data: dict[str, object] | None = None, **more: object) -> ForecasterTraining:
    settings = TrainingSettings(
        steps=4, batch_size=16, validate_every=2, warmup_steps=1, ema_decay=0.5, half=False, learning_rate=1e-3
    )
    return ForecasterTraining.model_validate(
        {
            "data": {"kind": "benchmark", "name": name, "path": "b.npz", **(data or {})},
            "settings": settings,
            **SMALL,
            **more,
        }
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_nuscenes(tmp_path / "b.npz")
    return tmp_path


def _data(config: ForecasterTraining, root: Path, fold: str = "") -> BenchmarkDataModule:
    data = load_data_module(config, root, detector=None, fold=fold)  # type: ignore[arg-type]
    assert isinstance(data, BenchmarkDataModule)
    return data


def test_scenes_count_alike_where_it_is_asked_for(root):
    write_ethucy(root / "b.npz")
    split = _data(_config("ethucy"), root, fold="eth").train
    weights = split.even_weights
    assert split.scenes is not None and len(set(split.scenes)) > 1
    assert weights.sum() == pytest.approx(1)
    for scene in set(split.scenes):
        assert weights[split.scenes == scene].sum() == pytest.approx(1 / len(set(split.scenes)))
    # Windows of one time overlap: a group holds all that begin within eight seconds, of one scene.
    for group in set(split.groups):
        assert np.ptp(split.tracks.instants[split.ends][split.groups == group]) < 200
    even = _data(_config("ethucy", data={"balance_scenes": True}), root, "eth")
    assert len(even.sample(np.random.default_rng(0)).labels) > 0


def test_batches_are_the_same_for_the_same_seed_and_of_training_scenes(root):
    data = _data(_config("nuscenes", interaction_dim=4), root)
    batches = [data.sample(np.random.default_rng(seed)) for seed in (1, 1, 2)]
    for name, part in vars(batches[0]).items():
        if part is not None:
            assert torch.equal(getattr(batches[1], name), part), name
    assert batches[0].observations.shape != batches[2].observations.shape or not torch.equal(
        batches[0].observations, batches[2].observations
    )
    assert (batches[0].neighbours >= 0).any()
    assert batches[0].known.any(dim=1).sum() >= 4
    assert _data(_config("nuscenes"), root).sample(np.random.default_rng(1)).neighbours.shape[1] == 0


def test_a_batch_is_a_world_that_is_mirrored_or_larger_as_a_whole(root):
    """Speeds, sizes, doubts and futures agree with the positions, whatever was changed."""
    data = _data(_config("nuscenes", interaction_dim=4), root)
    is_mirrored, scales = set(), []
    for seed in range(12):
        batch = data.sample(np.random.default_rng(seed))
        seen = batch.observations
        scale = float(seen[..., VARIANCE].mean().sqrt()) / 0.05
        scales.append(scale)
        if seen.shape[1] > 1:
            moved = (seen[:, 1:] - seen[:, :-1])[..., XY] / batch.dt_s[:, 1:, None].clamp(min=0.1)
            goes_on = torch.arange(1, seen.shape[1]) < batch.lengths[:, None]
            torch.testing.assert_close(moved[goes_on], seen[:, 1:][goes_on][..., VELOCITY], atol=1e-3, rtol=1e-3)
        sizes = {round(float(size), 1) for size in seen[..., SIZE].flatten() / scale}
        assert sizes <= {1.7, 4.1, 2.0, 5.0, 3.0, 12.0, 2.5, 8.0}
        last = seen[torch.arange(len(seen)), batch.lengths - 1]
        steps = batch.futures[:, 0] - last[:, XY]
        real = batch.known[:, 0] & (batch.lengths > 1)
        torch.testing.assert_close(steps[real], last[real][:, VELOCITY] * 0.5, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(last[:, CAR_XY.stop - 1], torch.zeros(len(seen)))
        is_mirrored |= {bool(y < 0) for y in last[:, XY][:, 1][last[:, XY][:, 1] != 0]}
        assert len({bool(y < 0) for y in last[:, 1] if y != 0}) == 1  # all of the batch or none
    assert is_mirrored == {False, True}
    assert 0.75 < min(scales) < 0.95
    assert 1.05 < max(scales) < 1.3


def test_weights_are_chosen_by_the_benchmarks_own_figures(root):
    data = _data(_config("nuscenes"), root)
    task = forecaster_task(_config("nuscenes"), data, feature_space="", feature_size=1, device=CPU)
    validation = data.validate(task.model.eval())
    expected = -np.mean([math.log(validation.figures[name]) for name in NUSCENES.chosen_by])
    assert validation.score == pytest.approx(expected)
    assert {"minADE_5", "minFDE_1", "MissRate_2_10", "FDE one"} <= set(validation.figures)
    assert math.isfinite(validation.loss)


def test_the_loss_is_in_metres_and_leaves_out_what_is_not_known(root):
    config = _config("nuscenes")
    batch = _data(config, root).sample(np.random.default_rng(3))
    batch = replace(batch, known=batch.known.clone())
    batch.known[0] = False
    batch.known[1, 6:] = False
    state = TrajectoryGRU().motion.start(batch.observations[:, -1])
    away = batch.futures + torch.tensor([0.0, 2.0])
    away[0], away[1, 6:] = 1e3, 1e3
    means = torch.stack([away, away], dim=1)
    futures = Futures(torch.tensor([[0.5, 0.5]]).log().expand(len(away), 2), means, torch.ones_like(means))
    losses = benchmark_loss(futures, batch, state, weights=LossWeights(nested=(1,), relaxation=0.0))
    assert float(losses["winner"]) == pytest.approx(2.0, abs=1e-3)
    assert float(losses["mean"]) == pytest.approx(2.0, abs=1e-3)
    assert float(losses["mixture_nll"]) == pytest.approx((np.log(2 * np.pi) + 2.0) / 2, rel=1e-3)


def test_a_training_reaches_as_far_as_the_benchmark_asks(root, tmp_path):
    config = _config("nuscenes", interaction_dim=4)
    task = forecaster_task(config, _data(config, root), feature_space="", feature_size=1, device=CPU)
    model, history = train(task, config.settings, folder=tmp_path / "run", device=CPU)
    assert isinstance(model, TrajectoryGRU)
    assert (model.config.horizon_s, model.config.modes, model.config.interaction_dim) == (6.0, 3, 4)
    assert [entry["step"] for entry in history.validation] == [2, 4]


def test_each_fold_is_learnt_without_its_own_scene(tmp_path):
    write_ethucy(tmp_path / "b.npz")
    config = _config("ethucy")
    assert config.data.selected_folds() == ETHUCY.folds
    data = _data(config, tmp_path, fold="zara1")
    positions = [data.sample(np.random.default_rng(seed)).futures for seed in range(3)]
    assert all(torch.isfinite(part).all() for part in positions)
    learnt = data.train.tracks.truth
    assert 2.0 not in learnt[:, 1].round(6)[learnt[:, 0] >= 4.9]
    assert 3.0 in learnt[:, 1].round(6)[learnt[:, 0] >= 4.9]


def test_folds_may_be_named_and_unknown_ones_are_refused():
    assert ImageDataConfig().selected_folds() == ("",)
    assert _config("nuscenes").data.selected_folds() == ("",)
    assert _config("ethucy", data={"folds": ["univ"]}).data.selected_folds() == ("univ",)
    with pytest.raises(UsageError, match="zara9"):
        _config("ethucy", data={"folds": ["univ", "zara9"]}).data.selected_folds()
    with pytest.raises(UsageError, match="has none"):
        _config("nuscenes", data={"folds": ["univ"]}).data.selected_folds()


def test_an_unknown_benchmark_is_refused():
    with pytest.raises(ValidationError, match="benchmark"):
        _config("imagenet")


@pytest.mark.parametrize("name", ["nuscenes", "ethucy", "kitti"])  # what JAAD teaches is told in the image frame
def test_the_configurations_in_the_repository_are_valid(name):
    config = read_training_config(ForecasterTraining, ROOT / "configs" / "benchmarks" / f"{name}.yaml", {})
    assert isinstance(config.data, BenchmarkDataConfig)
    assert config.data.name == name
    assert max(config.loss.nested) <= config.modes
