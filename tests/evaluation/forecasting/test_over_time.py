"""The curves over the time ahead agree with the tables at the horizons."""

from __future__ import annotations

import numpy as np
import pytest
from support.forecast_runs import records_of, stay, timestamps_ns, truth_of, turning

from perception.evaluation.forecasting.image import evaluate_forecasts


def test_points_at_the_horizons_are_the_final_displacement_errors() -> None:
    truth = truth_of({identity: turning(40.0 * identity, (9.0, 40.0 * identity)) for identity in range(1, 6)})
    report = evaluate_forecasts(
        records=records_of(truth, stay, stds_px=4.0, probabilities=(0.5, 0.5), offsets_px=(-3.0, 4.0)),
        truth=truth,
        frame_timestamps_ns=timestamps_ns(40),
        setting="tracked",
        rng=np.random.default_rng(0),
    )
    points = {point.time_s: point for point in report.over_time}
    for scores in report.horizons:
        point = points[scores.horizon_s]
        assert point.target_count == scores.target_count
        assert scores.expected is not None and scores.coverage is not None and scores.best_of_k is not None
        assert point.errors["expected"] == pytest.approx(scores.expected.fde_px)
        assert point.errors["best of K"] == pytest.approx(scores.best_of_k.fde_px)
        assert point.coverage_90 == pytest.approx((scores.coverage.x_90 + scores.coverage.y_90) / 2)
    assert report.worst[0].error >= report.worst[-1].error > 0
