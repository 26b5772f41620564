"""Pairs of rows in the same image."""

from __future__ import annotations

import numpy as np
import pytest
from support.evaluation_tables import table

from perception.evaluation.core import pairs

BOX = (0.0, 0.0, 10.0, 10.0)


def test_all_pairs_of_the_same_group_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 6, 40), rng.integers(0, 6, 30)
    expected = [(i, j) for i in range(40) for j in range(30) if first[i] == second[j]]
    for at_once in (1_000_000, 7):
        monkeypatch.setattr(pairs, "PAIRS_AT_ONCE", at_once)
        pieces = list(pairs.pairs_of_groups(first, second))
        assert [(i, j) for rows, of in pieces for i, j in zip(rows.tolist(), of.tolist(), strict=True)] == expected
        assert len(pieces) == 1 or at_once == 7
    assert list(pairs.pairs_of_groups(np.zeros(0, int), second)) == []


def test_images_have_the_same_number_in_all_tables() -> None:
    first, second = table([(0, 1, BOX), (3, 1, BOX)]), table([(3, 2, BOX), (0, 2, BOX), (4, 2, BOX)])
    one, two = pairs.image_numbers(first, second)
    assert one[0] == two[1] and one[1] == two[0] and two[2] not in one
