"""The network on targets: likelihoods against SciPy, the network against itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm
from support.benchmark_files import write_kitti

from perception.benchmarks import JAAD, KITTI, Benchmark, Split, predict
from perception.benchmarks.jaad import JaadTracks, protocol
from perception.benchmarks.prediction import sample_calibration_along
from perception.forecasting import GruConfig, TrajectoryGRU
from perception.forecasting.batch_prediction import predict_windows
from perception.forecasting.track_dataset import windows_at

GROUND = GruConfig(hidden_size=8, input_size=6, feature_size=1, modes=3, reference_frame="ground", horizon_s=4.0)


def test_the_likelihood_of_one_gaussian_is_scipys():
    rng = np.random.default_rng(2)
    means, stds, actual = rng.normal(size=(3, 1, 4, 2)), rng.uniform(0.2, 3, (3, 1, 4, 2)), rng.normal(size=(3, 4, 2))
    samples = sample_calibration_along(np.ones((3, 1)), means, stds, actual, None)
    np.testing.assert_allclose(samples.quantiles, norm.cdf(actual, means[:, 0], stds[:, 0]))
    np.testing.assert_allclose(samples.log_densities, norm.logpdf(actual, means[:, 0], stds[:, 0]).sum(axis=-1))


def test_spreads_lie_along_and_across_the_direction():
    rng = np.random.default_rng(3)
    axes_rad, std = rng.uniform(-3, 3, 5), np.array([3.0, 0.2])
    means, actual = rng.normal(size=(5, 1, 2, 2)), rng.normal(size=(5, 2, 2))
    spreads = np.broadcast_to(std, means.shape)
    likelihoods = sample_calibration_along(np.ones((5, 1)), means, spreads, actual, axes_rad).log_densities
    for row, angle in enumerate(axes_rad):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        covariance = turn @ np.diag(std**2) @ turn.T
        for step in range(2):
            expected = multivariate_normal(means[row, 0, step], covariance).logpdf(actual[row, step])
            assert likelihoods[row, step] == pytest.approx(expected)


def test_a_mixture_is_the_sum_of_its_parts():
    probabilities = np.array([[0.25, 0.75]])
    means, stds = np.array([[[[0.0]], [[4.0]]]]), np.array([[[[1.0]], [[2.0]]]])
    samples = sample_calibration_along(probabilities, means, stds, np.array([[[1.0]]]), None)
    assert float(samples.quantiles[0, 0, 0]) == pytest.approx(0.25 * norm.cdf(1) + 0.75 * norm.cdf(-1.5))
    assert float(samples.log_densities[0, 0]) == pytest.approx(np.log(0.25 * norm.pdf(1) + 0.75 * norm.pdf(-1.5) / 2))


def test_a_future_of_no_probability_breaks_nothing():
    samples = sample_calibration_along(
        np.array([[1.0, 0.0]]), np.zeros((1, 2, 1, 2)), np.ones((1, 2, 1, 2)), np.zeros((1, 1, 2)), None
    )
    assert float(samples.log_densities[0, 0]) == pytest.approx(-np.log(2 * np.pi))


@pytest.fixture
def kitti(tmp_path) -> tuple[Benchmark, Split]:
    return KITTI, KITTI.read(write_kitti(tmp_path / "k.npz"), "test", "")


def _model(**changes: object) -> TrajectoryGRU:
    torch.manual_seed(4)
    return TrajectoryGRU(replace(GROUND, **changes)).eval()


def test_batches_do_not_change_the_answers(kitti, monkeypatch):
    benchmark, split = kitti
    model = _model(interaction_dim=4)
    whole = predict(model, split, benchmark, neighbours=True)
    monkeypatch.setattr("perception.benchmarks.prediction._BATCH", 5)
    parts = predict(model, split, benchmark, neighbours=True)
    for before, after in ((whole, parts), (whole.calibration_samples, parts.calibration_samples)):
        for name, column in vars(before).items():
            if name != "calibration_samples":
                assert len(column) == len(split)
                np.testing.assert_allclose(getattr(after, name), column, atol=1e-4, err_msg=name)


def test_what_is_predicted_is_what_the_network_predicts(kitti):
    benchmark, split = kitti
    model = _model()
    found = predict(model, split, benchmark, neighbours=False)
    windows = windows_at(split.tracks, split.ends, length=20)
    futures, state = predict_windows(model, windows, torch.arange(1, 41) / 10)
    np.testing.assert_allclose(found.means, futures.means, atol=1e-5)
    np.testing.assert_allclose(found.probabilities, futures.log_probabilities.exp(), atol=1e-6)
    np.testing.assert_allclose(found.expected, futures.expected, atol=1e-4)
    samples = sample_calibration_along(
        found.probabilities, found.means, futures.stds.numpy(), split.futures(40), model.motion.axes_rad(state).numpy()
    )
    np.testing.assert_allclose(found.calibration_samples.quantiles, samples.quantiles, atol=1e-4)
    np.testing.assert_allclose(found.calibration_samples.log_densities, samples.log_densities, rtol=1e-3, atol=1e-3)


def test_interactions_are_used_only_where_that_is_asked(kitti):
    benchmark, split = kitti
    for size, is_heard in ((4, True), (0, False)):
        model = _model(interaction_dim=size)
        company, alone = (predict(model, split, benchmark, neighbours=asked).means for asked in (True, False))
        assert (not np.allclose(company, alone, atol=1e-6)) == is_heard


def test_boxes_are_predicted_in_pixels():
    boxes = np.array([[100.0, 200, 140, 300]]) + np.arange(70)[:, None] * np.array([2.0, 0, 2, 0])
    jaad = JaadTracks(boxes, np.arange(70), np.array([0, 70]), np.zeros(1, int), np.array([[1920, 1080]]))
    split, model = protocol(jaad), _model(reference_frame="image", horizon_s=3.0)
    found = predict(model, split, JAAD, neighbours=False)
    windows = windows_at(split.tracks, split.ends, length=15)
    expected = predict_windows(model, windows, torch.arange(1, 46) / 30)[0].means
    np.testing.assert_allclose(found.means, expected * torch.tensor([1920, 1080, 1920, 1080]), rtol=1e-5)
    assert found.calibration_samples.quantiles.shape == (2, 45, 4)
