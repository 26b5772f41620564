"""Figures over seeds, baselines beside them, and comparisons with others."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.benchmark_files import write_kitti

from perception.benchmarks import (
    BASELINES,
    KITTI,
    FoldScores,
    Predicted,
    Split,
    constant_velocity,
    predict,
    score,
    scoring,
)
from perception.benchmarks.scoring import Subset
from perception.errors import UsageError
from perception.evaluation.core.calibration import CalibrationSamples
from perception.forecasting import GruConfig, TrajectoryGRU


@pytest.fixture
def split(tmp_path) -> Split:
    """Targets of three test drives that turn a little, so that nobody is perfect."""
    path = write_kitti(tmp_path / "k.npz", drives=(1, 2, 15))
    split = KITTI.read(path, "test", "")
    time = split.tracks.times_s - split.tracks.times_s[split.tracks.starts[:-1]].min()
    split.tracks.truth[:, 1] += 0.2 * time**2  # of the truth alone; observations are apart
    return split


def _models(count: int) -> list[TrajectoryGRU]:
    models = []
    for seed in range(count):
        torch.manual_seed(seed)
        config = GruConfig(
            hidden_size=6, input_size=5, feature_size=1, modes=2, reference_frame="ground", horizon_s=4.0
        )
        models.append(TrajectoryGRU(config).eval())
    return models


def _score(split: Split, models: list[TrajectoryGRU], **more: object) -> FoldScores:
    return score(KITTI, split, models, fold="", neighbours=False, rng=np.random.default_rng(0), **more)


def test_a_figure_is_the_mean_over_seeds_with_their_deviation(split):
    models = _models(3)
    scores = _score(split, models)
    by_seed = [
        float(KITTI.errors(predict(m, split, KITTI, neighbours=False), split.futures(40))["FDE 4 s"].mean())
        for m in models
    ]
    figure = scores.figures["FDE 4 s"]
    assert figure.model == pytest.approx(np.mean(by_seed))
    assert figure.spread == pytest.approx(np.std(by_seed, ddof=1))
    assert figure.spread > 0
    assert (scores.seeds, scores.targets, scores.groups) == (3, len(split), 3)
    assert list(scores.figures) == list(KITTI.errors(constant_velocity(split, 40), split.futures(40)))


def test_one_seed_has_no_deviation(split):
    assert all(figure.spread is None for figure in _score(split, _models(1)).figures.values())


def test_the_model_is_set_against_the_best_of_all_baselines(split):
    scores = _score(split, _models(2))
    actual = split.futures(40)
    baselines = {
        method: {name: float(values.mean()) for name, values in KITTI.errors(make(split, 40), actual).items()}
        for method, make in BASELINES.items()
    }
    for name, figure in scores.figures.items():
        assert figure.baselines == pytest.approx({method: means[name] for method, means in baselines.items()})
        assert figure.best_baseline == min(figure.baselines, key=figure.baselines.__getitem__)
        assert figure.comparison.ratio == pytest.approx(figure.model / min(figure.baselines.values()))
        low, high = figure.comparison.ratio_interval
        assert low <= figure.comparison.ratio <= high


def test_moving_and_standing_targets_are_also_counted_apart(split):
    truth = split.tracks.truth.copy()
    truth[: split.tracks.starts[1]] = truth[0]  # the first track stands
    apart = replace(split, tracks=replace(split.tracks, truth=truth))
    still = np.linalg.norm(apart.futures(40)[:, -1] - truth[apart.tracks.truth_rows[apart.ends]], axis=1) <= 1.0
    scores = _score(apart, _models(1))
    assert 0 < still.sum() == scores.standing.targets
    assert scores.standing.targets + scores.moving.targets == scores.targets
    every, moving, standing = (figures["FDE 4 s"] for figures in (
        scores.figures, scores.moving.figures, scores.standing.figures
    ))  # fmt: skip
    whole = moving.model * scores.moving.targets + standing.model * scores.standing.targets
    assert whole / scores.targets == pytest.approx(every.model)
    assert _score(split, _models(1)).standing == Subset(0, {})


def test_references_are_compared_target_by_target(split):
    models = _models(2)
    first = _score(split, models)
    ours = np.mean(
        [
            KITTI.errors(predict(m, split, KITTI, neighbours=False), split.futures(40))["ADE 4 s"] for m in models
        ],
        axis=0,
    )  # fmt: skip
    references = {
        "worse": {"ADE 4 s": ours + 1.0, "unknown": ours},
        "better": {"ADE 4 s": ours - 0.5},
    }
    scores = _score(split, models, references=references)
    assert set(scores.references["worse"]) == {"ADE 4 s"}
    assert scores.references["worse"]["ADE 4 s"].difference == pytest.approx(-1.0)
    assert scores.references["worse"]["ADE 4 s"].is_better
    assert scores.references["better"]["ADE 4 s"].is_worse
    assert first.references == {}
    with pytest.raises(UsageError, match="of other targets"):
        _score(split, models, references={"of other targets": {"ADE 4 s": ours[:-1]}})


def test_spreads_are_shares_of_the_truth_inside(split, monkeypatch):
    """Half of the truth lies in the middle of what is claimed, a tenth far outside."""
    models, count = _models(1), len(split)
    levels = np.full((count, 40, 2), 0.5)
    levels[..., 0] = np.linspace(0, 1, 20 * 2 * count + 1)[:-1].reshape(-1, 1)[: 40 * count].reshape(count, 40)
    firsts = np.stack([np.full((count, 40), 0.3), np.arange(40 * count).reshape(count, 40) % 4 == 0], axis=-1)
    samples = CalibrationSamples(levels, np.full((count, 40), -3.0), firsts)
    real = predict(models[0], split, KITTI, neighbours=False)
    claimed = Predicted(real.probabilities, real.means, samples)
    monkeypatch.setattr(scoring, "predict", lambda *_, **__: claimed)
    spreads = _score(split, models).spreads
    # Along one axis the levels are uniform, along the other always in the middle.
    assert spreads.coverage_50 == pytest.approx((0.5 + 1) / 2, abs=0.01)
    assert spreads.coverage_90 == pytest.approx((0.9 + 1) / 2, abs=0.01)
    assert spreads.negative_log_likelihood == pytest.approx(3.0)
    assert spreads.mode_confidence == pytest.approx(0.3) and spreads.mode_accuracy == pytest.approx(0.25)
    monkeypatch.setattr(scoring, "predict", lambda *_, **__: Predicted(real.probabilities, real.means))
    assert _score(split, models).spreads is None


def test_the_report_is_plain(split):
    content = json.loads(json.dumps(_score(split, _models(2)).to_json()))
    assert content["figures"]["ADE 1 s"]["model"] > 0
    assert set(content["figures"]["ADE 1 s"]["comparison"]) >= {"ratio", "difference"}
    assert 0 <= content["spreads"]["coverage_50"] <= content["spreads"]["coverage_90"] <= 1


def test_the_same_seed_draws_the_same_intervals(split):
    models = _models(1)
    assert _score(split, models) == _score(split, models)
