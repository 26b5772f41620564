"""What the CNN's feature is result: three kinds of feature on the same tracks, and an honest comparison."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from support.detection_cases import TINY
from support.ground_tracks import synthetic_drive

from perception.detection.roadnet.network import RoadNet
from perception.forecasting.features.ground_motion import CAR_XY, VELOCITY, XY
from perception.forecasting.track_dataset import GROUND_GRID, TrackSet, join
from perception.training.engine.trainer import TrainingSettings, train
from perception.training.experiments.feature_ablation import (
    FEATURES,
    EvaluationRows,
    JointForecaster,
    ablation_task,
    evaluation_rows,
    forecast_errors_m,
    with_features,
)
from perception.training.experiments.feature_ablation_study import compare_features, plot_ablation
from perception.training.experiments.oracle_features import ORACLE_FEATURES
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.data_modules.ground import GroundDataConfig
from perception.training.forecaster.tracks.ground_tracks import from_drive

SETTINGS = TrainingSettings(steps=3, batch_size=16, learning_rate=0.01, warmup_steps=0, validate_every=2, half=False)
CONFIG = ForecasterTraining(data=GroundDataConfig(mirror_share=0), hidden_size=16, settings=SETTINGS)


@pytest.fixture(scope="module")
def model() -> RoadNet:
    torch.manual_seed(0)
    return RoadNet(replace(TINY, channels=8, head_depth=1, embedding_size=16)).eval()


@pytest.fixture(scope="module")
def tracks() -> TrackSet:
    """With random RoI features (5x5 cells of 8 channels, which of four heads reads them) and oracle features."""
    rng = np.random.default_rng(0)
    drives = join([from_drive(*synthetic_drive(np.random.default_rng(seed))) for seed in range(2)])
    count = len(drives.features)
    roi, oracle = rng.normal(size=(count, 8 * 25)), rng.uniform(0.1, 1, (count, len(ORACLE_FEATURES)))
    heads = np.eye(4)[rng.integers(4, size=count)]
    return replace(drives, features=np.concatenate([roi, heads, oracle], axis=1).astype(np.float16))


def test_features_are_nothing_embeddings_roi_or_oracle_features(tracks, model):
    given = {feature: with_features(feature, tracks, model) for feature in FEATURES}
    assert [part.feature_size for part in given.values()] == [0, 16, 204, len(ORACLE_FEATURES)]
    assert given["oracle"].features.min() >= 0.1  # and neither roi nor heads, of which some are less
    lengths = np.linalg.norm(given["roadnet"].features, axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-3)


def test_only_the_joint_training_moves_the_convolutions(tracks, model, tmp_path):
    for feature in FEATURES:
        given = with_features(feature, tracks, model)
        task = ablation_task(feature, CONFIG, given, given, model, torch.device("cpu"))
        before = copy.deepcopy(task.model)
        network, history = train(task, SETTINGS, folder=_made(tmp_path / feature), device=torch.device("cpu"))
        assert isinstance(network, JointForecaster)
        assert history.best_step == SETTINGS.steps  # the last weights count, whatever the loss on other data
        changed = [
            name
            for (name, old), new in zip(before.named_parameters(), network.parameters(), strict=True)
            if not torch.equal(old, new)
        ]
        assert any(name.startswith("gru.") for name in changed)
        moved = {name.split(".")[3] for name in changed if name.startswith("embedder.towers.")}
        assert moved == ({"0", "1"} if feature == "joint" else set())  # the tower and the last layer
        found = forecast_errors_m(network, given, evaluation_rows(given))
        assert found.shape == (3, len(evaluation_rows(given).ends))
        assert np.isfinite(found).all()


def _made(path):
    path.mkdir()
    return path


def test_targets_have_a_known_future_and_fall_into_groups(tracks):
    examined = evaluation_rows(tracks)
    ahead = tracks.truth_rows[examined.ends] + 3 * int(GROUND_GRID.rate_fps)
    assert (ahead < tracks.truth_ends[examined.ends]).all() and tracks.known[ahead].all()
    everything, moving, near = examined.groups.values()
    assert everything.all() and 0 < moving.sum() < len(moving) and not (near & ~moving).any()
    now = tracks.observations[examined.ends]
    assert np.linalg.norm(now[moving][:, VELOCITY], axis=1).min() > 1
    assert np.linalg.norm(now[near][:, XY] - now[near][:, CAR_XY], axis=1).max(initial=0) < 20


def test_the_ablation_is_a_paired_comparison_with_no_feature(tmp_path):
    examined = EvaluationRows(
        np.arange(40), np.repeat(np.arange(8), 5), {"all": np.ones(40, bool), "some": np.arange(40) < 5}
    )
    noise = np.random.default_rng(0).normal(0, 0.01, size=(2, 40))
    none = [np.stack([2 + n, 3 + n, np.full(40, 4.0)]) for n in noise]
    better = [np.stack([1 + n, 2 + n, np.full(40, 4.0)]) for n in noise]
    found = compare_features({"none": none, "roadnet": none, "joint": better}, examined, np.random.default_rng(0))
    joint = next(result for result in found if result.feature == "joint" and result.group == "all")
    assert joint.min_fde_m == pytest.approx(1, abs=0.01) and joint.fde_m == pytest.approx(2, abs=0.01)
    assert joint.targets == 40 and joint.objects == 8 and joint.constant_velocity_m == 4
    assert joint.against_none.ratio == pytest.approx(0.5, abs=0.01) and joint.against_none.is_better
    assert next(result for result in found if result.feature == "roadnet").against_none.ratio == 1
    assert found[0].group == "all"
    plot_ablation(found, tmp_path / "study.png")
    with Image.open(tmp_path / "study.png") as image:
        assert image.width > 800
