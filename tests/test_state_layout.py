"""The named columns of tracks and forecasts, each against a state whose numbers tell where they stand."""

from __future__ import annotations

import numpy as np
import pytest

from perception.state_layout import MEASURED, POSITION, RATES, SIZE, SIZE_RATE, VELOCITY
from perception.types import Forecasts, Tracks


def tracks_of(means: list[list[float]]) -> Tracks:
    count = len(means)
    nothing = Tracks.empty()
    covariances = np.arange(64.0).reshape(8, 8) + np.arange(count)[:, None, None]
    return Tracks(
        **{
            **{
                name: np.resize(value, (count, *value.shape[1:]))
                for name, value in vars(nothing).items()
                if isinstance(value, np.ndarray)
            },
            "ids": np.arange(1, count + 1),
            "means": np.array(means),
            "covariances": covariances,
        }
    )


def test_each_column_of_a_state_has_one_name() -> None:
    assert np.r_[POSITION, SIZE, VELOCITY, SIZE_RATE].tolist() == list(range(8))
    assert np.r_[MEASURED, RATES].tolist() == list(range(8))


def test_the_columns_of_tracks() -> None:
    tracks = tracks_of([[1, 2, 3, 4, 0.3, 0.4, 7, 8], [0, 0, 1, 1, 0, -2, 0, 0]])
    assert tracks.positions.tolist() == [[1, 2], [0, 0]]
    assert tracks.sizes.tolist() == [[3, 4], [1, 1]]
    assert tracks.velocities.tolist() == [[0.3, 0.4], [0, -2]]
    assert tracks.boxes_cxcywh.tolist() == [[1, 2, 3, 4], [0, 0, 1, 1]]
    assert tracks.rates.tolist() == [[0.3, 0.4, 7, 8], [0, -2, 0, 0]]
    assert tracks.speeds_mps.tolist() == pytest.approx([0.5, 2.0])
    assert tracks.directions_rad.tolist() == pytest.approx([np.arctan2(4, 3), -np.pi / 2])
    assert tracks.yaws_rad.tolist() == tracks.directions_rad.tolist()
    assert tracks.position_covariances[0].tolist() == [[0, 1], [8, 9]]
    assert tracks.velocity_covariances[1].tolist() == [[37, 38], [45, 46]]
    assert tracks.variances[0].tolist() == [0, 9, 18, 27, 36, 45, 54, 63]


def test_the_columns_of_forecasts() -> None:
    means = np.arange(2 * 3 * 4 * 4, dtype=float).reshape(2, 3, 4, 4)
    probabilities = np.array([[0.2, 0.5, 0.3], [0.6, 0.2, 0.2]])
    forecasts = Forecasts(
        track_ids=np.array([1, 2]), probabilities=probabilities, means=means, stds=np.ones_like(means), dt_s=0.5
    )
    np.testing.assert_array_equal(forecasts.positions, means[:, :, :, [0, 1]])
    np.testing.assert_array_equal(forecasts.sizes, means[:, :, :, [2, 3]])
    np.testing.assert_array_equal(forecasts.most_probable, [means[0, 1], means[1, 0]])
    np.testing.assert_array_equal(forecasts.end_points, means[:, :, 3, :2])
    np.testing.assert_allclose(forecasts.expected[0], 0.2 * means[0, 0] + 0.5 * means[0, 1] + 0.3 * means[0, 2])
    assert forecasts.times_s.tolist() == [0.5, 1.0, 1.5, 2.0]
