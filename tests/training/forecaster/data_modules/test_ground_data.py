"""TrajectoryGRU learns on the ground: the loss, the batches, and that it beats constant velocity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from support.ground_tracks import make_ground_tracks, pose, synthetic_drive
from support.windows import make_windows

from perception.errors import UsageError
from perception.forecasting import GruConfig, TrajectoryGRU
from perception.forecasting.features.ground_motion import GroundMotion
from perception.forecasting.track_dataset import GROUND_GRID, TrackSet, Windows, join
from perception.forecasting.trajectory_gru import Futures
from perception.training.engine.config import read_training_config
from perception.training.engine.trainer import TrainingSettings, train
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.data_modules.base import BatchConfig
from perception.training.forecaster.data_modules.ground import (
    MIRRORED,
    GroundDataConfig,
    GroundDataModule,
)
from perception.training.forecaster.data_modules.traffic import SurroundTrafficConfig
from perception.training.forecaster.loss import LossWeights, ground_loss
from perception.training.forecaster.task import forecaster_task, load_data_module
from perception.training.forecaster.tracks.ground_tracks import from_drive
from perception.training.forecaster.validation import FigureKey, ground_displacements

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[4]
STEPS = len(GROUND_GRID.steps)


@pytest.fixture(scope="module")
def drives() -> TrackSet:
    return join([from_drive(*synthetic_drive(np.random.default_rng(seed))) for seed in range(4)])


def _windows(futures_m: np.ndarray, *, heading_rad: float = 0.0, speed_mps: float = 0.0) -> Windows:
    """One object at the origin that drives along ``heading_rad`` and gets to ``futures_m`` (T, 2)."""
    velocity = speed_mps * np.array([[np.cos(heading_rad), np.sin(heading_rad)]])
    tracks = make_ground_tracks(np.zeros((1, 2)), [1], velocities_mps=velocity, headings_rad=np.array([heading_rad]))
    row = torch.from_numpy(GroundMotion().observe(tracks, pose(3.0))).float()
    return make_windows(row[:, None], futures=torch.from_numpy(futures_m[None]).float())


def _futures(means_m: np.ndarray, probabilities: list[float], stds_m: tuple[float, float] = (1.0, 1.0)) -> Futures:
    means = torch.from_numpy(means_m[None]).float()
    return Futures(torch.tensor([probabilities]).log(), means, torch.tensor(stds_m).expand(means.shape))


def test_the_loss_of_hand_made_futures():
    """The object stays. Of two futures one stays, too, the other leaves 3 m to the left; the mean 1.5 m."""
    truth = np.zeros((STEPS, 2))
    leaving = truth + np.array([0.0, 3.0])
    leaving[0] = 0
    windows = _windows(truth)
    state = GroundMotion().start(windows.observations[:, -1])
    weights = LossWeights(nested=(1, 2), relaxation=0.2, mean=0.5, mode_nll=0.3, mixture_nll=0.7)
    losses = ground_loss(_futures(np.stack([leaving, truth]), [0.5, 0.5]), windows, state, weights=weights)
    away = 40 / 41  # of the steps, all but the first
    assert float(losses["winner"]) == pytest.approx(3 * away + 0.01 + 0.2 * 1.5 * away, abs=5e-3)
    assert float(losses["mean"]) == pytest.approx(1.5 * away, rel=1e-2)
    assert float(losses["mode_nll"]) == pytest.approx(np.log(2), rel=1e-4)
    # Per dimension, in nats: one of the two normal distributions is missed by three standard deviations.
    missed = -np.log(0.5 + 0.5 * np.exp(-4.5)) * away
    assert float(losses["mixture_nll"]) == pytest.approx((np.log(2 * np.pi) + missed) / 2, rel=1e-4)
    expected = losses["winner"] + 0.5 * losses["mean"] + 0.3 * losses["mode_nll"] + 0.7 * losses["mixture_nll"]
    assert float(losses["total"]) == pytest.approx(float(expected), rel=1e-5)


def test_the_winner_is_selected_by_displacement():
    """The tracker sees an object that stays 2 m beside its true position: staying came true, moving there did not."""
    truth = np.full((STEPS, 2), 2.0)
    going = np.linspace(0, 1, STEPS)[:, None] * np.array([2.0, 2.0])
    windows = _windows(truth)
    state = GroundMotion().start(windows.observations[:, -1])
    futures = _futures(np.stack([going, np.zeros((STEPS, 2))]), [0.1, 0.9])
    weights = LossWeights(nested=(2,), relaxation=0.0, mode_temperature=1e-3)
    losses = ground_loss(futures, windows, state, weights=weights)
    assert float(losses["mode_nll"]) == pytest.approx(-np.log(0.9), rel=1e-4)
    # Later than half a second or so it is the true position that counts.
    assert float(losses["winner"]) == pytest.approx(
        np.sqrt(8) * (1 - np.exp(-GROUND_GRID.times_s / 0.5).mean()), rel=2e-2
    )


def test_spreads_are_measured_along_and_across_the_heading():
    """Off by 1 m to the left of an object that drives north: a wide spread across is the likelier one."""
    truth = np.zeros((STEPS, 2))
    windows = _windows(truth, heading_rad=np.pi / 2)
    state = GroundMotion().start(windows.observations[:, -1])
    beside = (truth + np.array([-1.0, 0.0]))[None]
    wide, long = (
        float(ground_loss(_futures(beside, [1.0], stds), windows, state, weights=LossWeights())["mixture_nll"])
        for stds in ((0.1, 1.0), (1.0, 0.1))
    )
    assert wide < long - 10


def test_what_is_not_known_does_not_count_and_fast_objects_count_less():
    truth, wrong = np.zeros((STEPS, 2)), np.zeros((1, STEPS, 2))
    wrong[0, 20:] = 100.0
    windows = _windows(truth, speed_mps=10.0)
    windows.known[:, 20:] = False
    state = GroundMotion().start(windows.observations[:, -1])
    alone = LossWeights(nested=(1,), relaxation=0.0)
    assert float(ground_loss(_futures(wrong, [1.0]), windows, state, weights=alone)["winner"]) < 0.02
    wrong[0, :20] = [0.0, 4.0]
    losses = ground_loss(_futures(wrong, [1.0]), windows, state, weights=alone)
    assert float(losses["winner"]) == pytest.approx(2.0, rel=1e-3)


def test_batches_lose_their_car_sometimes_and_are_the_same_for_the_same_seed(drives):
    data = GroundDataModule(GroundDataConfig(), BatchConfig(512, 0, LossWeights()), recordings=drives)
    batch = data.sample(np.random.default_rng(0))
    lost = (batch.observations[:, -1, 13] == 0).float().mean()
    assert 0.05 < lost < 0.2
    assert torch.all(batch.observations[batch.observations[:, -1, 13] == 0][:, :, 10:] == 0)
    again = data.sample(np.random.default_rng(0))
    assert torch.equal(batch.observations, again.observations)
    assert torch.isfinite(batch.futures).all()


def test_a_mirrored_world_teaches_the_mirrored_future(drives):
    """What mirroring does to the observations is what observing the mirrored tracks would give."""
    rng = np.random.default_rng(3)
    root = rng.normal(size=(1, 8, 8))
    covariances = root @ root.transpose(0, 2, 1)
    flip = np.diag([1.0, -1, 1, 1, 1, -1, 1, 1])
    position, velocity = rng.normal(size=(1, 2)), rng.normal(size=(1, 2))
    here = make_ground_tracks(
        position, [1], velocities_mps=velocity, headings_rad=np.array([0.7]), covariances=covariances
    )
    there = make_ground_tracks(
        position * [1, -1], [1], velocities_mps=velocity * [1, -1], headings_rad=np.array([-0.7]),
        covariances=flip @ covariances @ flip,
    )  # fmt: skip
    motion = GroundMotion()
    np.testing.assert_allclose(
        motion.observe(here, pose(4.0, 2.0, 0.3)) * MIRRORED, motion.observe(there, pose(4.0, -2.0, -0.3)), atol=1e-9
    )


def test_figures_of_a_forecaster_that_goes_straight(drives):
    """A network whose curves are flat and that trusts the tracker's velocity equals constant velocity."""
    model = TrajectoryGRU(GruConfig(hidden_size=8, reference_frame="ground", horizon_s=4.0)).eval()
    with torch.no_grad():
        output = model.decoder[2]
        output.weight.zero_()
        output.bias.zero_()
        output.bias.view(6, -1)[:, 4] = 50.0  # the candidate that is the tracker's own velocity
    figures, loss = ground_displacements(model, drives, rows=300)
    for second in range(1, 5):
        assert figures[FigureKey("FDE", second)] == pytest.approx(figures[FigureKey("CV", second)], rel=1e-3)
        assert figures[FigureKey("minFDE", second)] == pytest.approx(figures[FigureKey("CV", second)], rel=1e-3)
    assert np.isfinite(loss)
    assert figures[FigureKey("CV", 1)] < figures[FigureKey("CV", 4)]


def test_it_learns_to_beat_constant_velocity(drives, tmp_path):
    settings = TrainingSettings(
        steps=80, batch_size=64, learning_rate=4e-3, ema_decay=0.95, warmup_steps=10, half=False,
        weight_decay=0.0, validate_every=80, clip_norm=2.0,
    )  # fmt: skip
    config = ForecasterTraining(data=GroundDataConfig(), hidden_size=48, dropout=0.0, settings=settings)
    held_out = from_drive(*synthetic_drive(np.random.default_rng(99)))
    data = GroundDataModule(config.data, config.batches, drives, {"drives": held_out})
    task = forecaster_task(config, data, feature_space="", feature_size=1, device=CPU)
    model, history = train(task, settings, folder=tmp_path, device=CPU)
    assert isinstance(model, TrajectoryGRU)
    assert (model.config.reference_frame, model.config.horizon_s) == ("ground", 4.0)
    last = history.validation[-1]
    assert last["drives minFDE 3 s"] < 0.6 * last["drives CV 3 s"]
    assert last["drives FDE 3 s"] < last["drives CV 3 s"]


def test_nothing_to_learn_from_or_to_choose_by_is_reported(drives):
    empty = GroundDataModule(GroundDataConfig(), BatchConfig(4, 0, LossWeights()))
    assert not empty.has_data and empty.with_recordings(drives).has_data
    with pytest.raises(UsageError, match="traffic"):
        empty.sample(np.random.default_rng(0))
    with pytest.raises(UsageError, match="choose"):
        empty.with_recordings(drives).validate(TrajectoryGRU(GruConfig(reference_frame="ground")))


def test_the_configuration_in_the_repository_is_valid():
    config = read_training_config(ForecasterTraining, ROOT / "configs" / "train-forecaster-ground.yaml", {})
    assert isinstance(config.data, GroundDataConfig) and config.data.reference_frame == "ground"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ({}, "data"),
        ({"data": {}}, "kind"),
        ({"data": {"kind": "ground", "jaad": "x.npz"}}, "jaad"),
        ({"data": {"kind": "image", "traffic": {"first_seed": 1, "drives": 2, "rig": "front"}}}, "rig"),
        ({"data": {"kind": "image", "name": "kitti"}}, "name"),
        ({"data": {"kind": "moon"}}, "kind"),
        (
            {
                "data": {
                    "kind": "ground",
                    "traffic": {"first_seed": 1, "drives": 9},
                    "traffic_validation": {"first_seed": 9, "drives": 1},
                }
            },
            "seeds",
        ),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(content, word):
    with pytest.raises(ValidationError, match=word):
        ForecasterTraining.model_validate(content)


def test_seeds_apart_are_accepted():
    apart = SurroundTrafficConfig(first_seed=10, drives=2)
    for other in (SurroundTrafficConfig(first_seed=12, drives=5), SurroundTrafficConfig(first_seed=5, drives=5)):
        assert GroundDataConfig(traffic=apart, traffic_validation=other)


def test_a_pattern_that_matches_nothing_is_named(tmp_path):
    config = ForecasterTraining.model_validate({"data": {"kind": "ground", "train": [{"path": "drives/train-*"}]}})
    with pytest.raises(UsageError, match=r"train-\*"):
        load_data_module(config, tmp_path, detector=None)  # type: ignore[arg-type]
