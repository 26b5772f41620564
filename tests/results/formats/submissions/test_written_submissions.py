"""What is written for a challenge is read as the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from perception.results.formats.submissions.argoverse import read_argoverse_submission, write_argoverse_submission
from perception.results.formats.submissions.nuscenes_prediction import (
    read_nuscenes_prediction,
    write_nuscenes_prediction,
)
from perception.results.formats.submissions.submission import Protocol, Submission


def submission(protocol: Protocol, steps: int, dt_s: float) -> Submission:
    """Three objects with 1, 3 and 2 paths."""
    rng = np.random.default_rng(0)
    counts = np.array([1, 3, 2])
    is_there = np.arange(3) < counts[:, None]
    chances = np.where(is_there, rng.uniform(0.1, 1, (3, 3)), 0)
    return Submission(
        scenes=np.array(["b", "a", "a"]),
        objects=np.array(["1", "2", "3"]),
        mode_counts=counts,
        probabilities=chances / chances.sum(axis=1, keepdims=True),
        positions_m=np.where(is_there[..., None, None], rng.normal(1000, 50, (3, 3, steps, 2)), np.inf),
        dt_s=dt_s,
        protocol=protocol,
    )


@pytest.mark.parametrize(
    ("name", "write", "read", "given"),
    [
        ("a.json", write_nuscenes_prediction, read_nuscenes_prediction, submission("nuscenes", 12, 0.5)),
        ("a.parquet", write_argoverse_submission, read_argoverse_submission, submission("argoverse", 60, 0.1)),
    ],
)
def test_what_is_written_is_read_as_the_same(
    tmp_path: Path,
    name: str,
    write: Callable[[Path, Submission], None],
    read: Callable[[Path], Submission],
    given: Submission,
) -> None:
    write(tmp_path / name, given)
    found = read(tmp_path / name)
    assert (found.protocol, found.dt_s, found.notes) == (given.protocol, given.dt_s, ())
    for column in ("scenes", "objects", "mode_counts"):
        assert getattr(found, column).tolist() == getattr(given, column).tolist()
    np.testing.assert_allclose(found.probabilities, given.probabilities, atol=1e-12)
    np.testing.assert_allclose(found.positions_m, given.positions_m, atol=1e-6)
