"""Similarity of features and the best assignment, by known cases and by trying all."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from perception.tracking.common.association import assign, pairwise_cosine


def test_cosine_of_known_features() -> None:
    cosine = pairwise_cosine(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]]))
    np.testing.assert_allclose(cosine, [[1.0, 0.0, -1.0], [0.0, 0.0, 0.0]])


def test_assignment_equals_trying_all() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        similarities = rng.uniform(0.01, 1, (4, 5))
        feasible = rng.random((4, 5)) < 0.6
        rows, columns = assign(similarities, feasible)
        assert feasible[rows, columns].all()
        allowed = np.where(feasible, similarities, 0)
        best = max(allowed[range(4), list(choice)].sum() for choice in permutations(range(5), 4))
        assert similarities[rows, columns].sum() == pytest.approx(best)
