"""Paired bootstrap over objects."""

from __future__ import annotations

import numpy as np
import pytest

from perception.evaluation.core.bootstrap import compare_paired


def test_a_constant_share_has_an_interval_of_no_width() -> None:
    rng = np.random.default_rng(0)
    baseline, objects = rng.uniform(1, 5, 200), np.arange(200) // 10
    result = compare_paired(model=0.8 * baseline, baseline=baseline, objects=objects, rng=rng)
    assert result.ratio == pytest.approx(0.8)
    assert result.ratio_interval == pytest.approx((0.8, 0.8))
    assert result.is_better
    assert not result.is_worse


def test_whole_objects_are_drawn() -> None:
    """A thousand copies of ten errors say no more than the ten."""
    rng = np.random.default_rng(1)
    model, baseline = rng.normal(5, 1, 10), rng.normal(5, 1, 10)
    few = compare_paired(model=model, baseline=baseline, objects=np.arange(10), rng=np.random.default_rng(2))
    many = compare_paired(
        model=np.repeat(model, 1000),
        baseline=np.repeat(baseline, 1000),
        objects=np.repeat(np.arange(10), 1000),
        rng=np.random.default_rng(2),
    )
    assert many.difference_interval == pytest.approx(few.difference_interval)


def test_the_interval_agrees_with_the_standard_error() -> None:
    rng = np.random.default_rng(3)
    model, baseline = rng.normal(4, 1, 400), rng.normal(5, 1, 400)
    result = compare_paired(model=model, baseline=baseline, objects=np.arange(400), rng=rng, samples=4000)
    half_width = 1.96 * (model - baseline).std() / 20
    assert result.difference_interval == pytest.approx(
        (result.difference - half_width, result.difference + half_width), abs=0.02
    )


def test_one_object_has_no_interval_and_no_error_no_ratio() -> None:
    one = compare_paired(model=np.ones(3), baseline=np.ones(3), objects=np.zeros(3, int), rng=np.random.default_rng(0))
    assert (one.ratio, one.ratio_interval, one.difference_interval) == (1.0, None, None)
    perfect = compare_paired(
        model=np.ones(3), baseline=np.full(3, 1e-12), objects=np.arange(3), rng=np.random.default_rng(0)
    )
    assert (perfect.ratio, perfect.ratio_interval) == (None, None)
    assert perfect.is_worse
    with pytest.raises(ValueError, match="at least one"):
        compare_paired(model=np.ones(0), baseline=np.ones(0), objects=np.ones(0, int), rng=np.random.default_rng(0))
