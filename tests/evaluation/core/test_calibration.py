"""Spreads and probabilities against what happened: shares inside the middles, and the density of the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from perception.evaluation.core.calibration import (
    CENTRAL_SHARES,
    Calibration,
    CalibrationSamples,
    CalibrationSums,
    calibration_note,
    calibration_of,
    sample_calibration,
)


def drawn(count: int, *, stds: tuple[float, float], claimed: tuple[float, float]):
    """A mixture of two futures, 0.3 and 0.7, from which the truth is drawn, and the spreads that are claimed."""
    rng = np.random.default_rng(0)
    means = np.tile(np.array([[[-4.0, 1.0]], [[3.0, 0.0]]]), (count, 1, 1, 1))
    probabilities = np.tile([0.3, 0.7], (count, 1))
    chosen = (rng.random(count) < 0.7).astype(int)
    future = means[np.arange(count), chosen] + rng.normal(size=(count, 1, 2)) * stds
    return probabilities, means, np.broadcast_to(claimed, means.shape), future


def calibrated(samples: CalibrationSamples) -> Calibration | None:
    return calibration_of([CalibrationSums.of(samples, 0)])


def test_spreads_that_are_right_cover_what_they_predict() -> None:
    found = calibration_of(
        [CalibrationSums.of(sample_calibration(*drawn(20_000, stds=(1.0, 2.0), claimed=(1.0, 2.0))), 0)]
    )
    assert found is not None
    for axis in found.coverage:
        np.testing.assert_allclose(axis, CENTRAL_SHARES, atol=0.02)


def test_spreads_that_are_too_narrow_hold_less_and_their_likelihood_is_worse() -> None:
    right = calibrated(sample_calibration(*drawn(5000, stds=(1, 2), claimed=(1, 2))))
    narrow = calibrated(sample_calibration(*drawn(5000, stds=(1, 2), claimed=(0.4, 2))))
    assert right is not None and narrow is not None
    assert narrow.coverage[0][-1] < 0.8 and narrow.coverage[1][-1] == pytest.approx(0.9, abs=0.02)
    assert narrow.nll > right.nll + 0.5


def test_the_density_is_that_of_the_mixture() -> None:
    probabilities, means, stds, future = drawn(50, stds=(1, 2), claimed=(1, 2))
    densities = sample_calibration(probabilities, means, stds, future).log_densities
    each = norm.pdf(future[:, None], means, stds).prod(axis=-1)[:, :, 0]
    np.testing.assert_allclose(densities[:, 0], np.log((probabilities * each).sum(axis=1)))


def test_who_claims_no_spread_is_not_judged() -> None:
    calibration_samples = sample_calibration(*drawn(10, stds=(1, 2), claimed=(0, 0)))
    assert np.isnan(calibration_samples.quantiles).all() and np.isnan(calibration_samples.log_densities).all()
    assert calibrated(calibration_samples) is None
    assert calibrated(CalibrationSamples.join([], times=1)) is None


def test_the_first_future_is_the_most_probable_one_wherever_it_stands() -> None:
    found = calibration_of(
        [CalibrationSums.of(sample_calibration(*drawn(20_000, stds=(1.0, 2.0), claimed=(1.0, 2.0))), 0)]
    )
    assert found is not None
    assert found.mode_confidence == pytest.approx(0.7) and found.mode_accuracy == pytest.approx(0.7, abs=0.02)


def test_the_note_describes_the_curve() -> None:
    found = calibrated(sample_calibration(*drawn(2000, stds=(1, 2), claimed=(1, 2))))
    assert found is not None
    note = calibration_note(found, ("along", "across"), "metre")
    assert (
        "Coverage of the central 10 20 30 40 50 60 70 80 90 %" in note
        and "(across)" in note
        and "nats per square metre" in note
    )
