"""Windows cut out of hand-made tracks: what each holds, who sees whom, and that nothing of the future is read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.windows import make_track_set

from perception.forecasting.track_dataset import GROUND_GRID, IMAGE_GRID, Grid, TrackSet, join, windows_at


def _line(length: int, y: float = 0.0, start: float = 0.0) -> np.ndarray:
    """Positions that step by 1 along x."""
    return np.stack([start + np.arange(length), np.full(length, y)], axis=1)


@pytest.fixture
def crowd() -> TrackSet:
    """At instants 0 to 9: three tracks side by side, of which the last one comes at 4; a fourth at 20 to 29."""
    return make_track_set([_line(10), _line(10, 3.0), _line(6, 1.0, start=4.0), _line(10, 0.5)], [0, 0, 4, 20])


def _random_set(seed: int, tracks: int = 12) -> TrackSet:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 9, tracks)
    return make_track_set([rng.normal(size=(n, 2)) for n in lengths], rng.integers(0, 6, tracks).tolist())


def test_grids_are_in_seconds():
    np.testing.assert_allclose(Grid(2.0, (1, 4)).times_s, [0.5, 2.0])
    assert (IMAGE_GRID.times_s[0], IMAGE_GRID.times_s[44], IMAGE_GRID.times_s[-1]) == (1 / 30, 1.5, 3.0)
    assert (GROUND_GRID.times_s[0], GROUND_GRID.times_s[-1]) == (0.0, 4.0)


def test_a_window_holds_its_past_and_its_true_future(crowd):
    windows = windows_at(crowd, np.array([16]), length=3, stride=2)  # the second track, its 7th position
    assert windows.observations[0].tolist() == [[2, 3], [4, 3], [6, 3]]
    torch.testing.assert_close(windows.dt_s, torch.tensor([[0.0, 0.2, 0.2]]))
    assert windows.lengths.tolist() == [3]
    assert windows.labels.tolist() == [1]
    assert windows.futures[0].tolist() == [[7, 3], [8, 3]]
    assert windows.known.all()
    assert windows.features is None
    assert windows.neighbours.shape == (1, 0)


def test_what_lies_past_the_end_of_the_truth_is_unknown(crowd):
    windows = windows_at(crowd, np.array([7, 8, 9]), length=2)
    assert windows.known.tolist() == [[True, True], [True, False], [False, False]]
    assert windows.futures[1, 1].tolist() == [9, 0]  # the last real position, which never counts


def test_truth_that_is_not_real_or_missing_is_unknown(crowd):
    known, rows = crowd.known.copy(), crowd.truth_rows.copy()
    known[5], rows[12] = False, -1
    windows = windows_at(replace(crowd, known=known, truth_rows=rows), np.array([3, 4, 12]), length=1)
    assert windows.known.tolist() == [[True, False], [False, True], [False, False]]


def test_pasts_may_be_shorter_than_asked(crowd):
    ends = np.array([0, 3, 9, 25])
    windows = windows_at(crowd, ends, length=3, stride=2)
    assert windows.lengths.tolist() == [1, 2, 3, 3]
    # The third track begins at row 20, at x = 4.
    assert windows.observations[..., 0].tolist() == [[0, 0, 0], [1, 3, 3], [5, 7, 9], [5, 7, 9]]
    torch.testing.assert_close(windows.dt_s[:3], torch.tensor([[0, 0, 0], [0, 0.2, 0], [0, 0.2, 0.2]]))
    whole = windows_at(crowd, ends, length=50)
    assert whole.lengths.tolist() == [1, 4, 10, 6]
    assert whole.observations[1, :4, 0].tolist() == [0, 1, 2, 3]


def test_ends_have_the_whole_past_and_a_third_of_a_second_ahead():
    tracks = make_track_set([_line(20), _line(8)], [0, 0], rate_fps=9.0)
    # More than three steps of the truth must be there: rows up to 16 of 20, and up to 4 of 8.
    assert tracks.ends(3, 2).tolist() == [*range(4, 17), 24]
    assert tracks.ends(1, 1).tolist() == [*range(17), *range(20, 25)]
    lost = tracks.truth_rows.copy()
    lost[10] = -1
    assert 10 not in replace(tracks, truth_rows=lost).ends(1, 1)


def test_neighbours_are_those_of_the_same_instant_nearest_first(crowd):
    windows = windows_at(crowd, np.array([6, 16, 22, 32]), length=2, neighbours=3)  # of instant 6, but the last
    assert windows.neighbours.tolist() == [[2, 1, -1], [2, 0, -1], [0, 1, -1], [-1, -1, -1]]


@pytest.mark.parametrize("seed", range(5))
def test_neighbours_against_brute_force(seed):
    tracks, count = _random_set(seed), 3
    rows = np.random.default_rng(seed).permutation(len(tracks.observations))[:15]
    expected = np.full((len(rows), count), -1)
    for index, row in enumerate(rows):
        others = [r for r in np.flatnonzero(tracks.instants == tracks.instants[row]) if r != row]
        others.sort(key=lambda r: np.linalg.norm(tracks.observations[r] - tracks.observations[row]))
        expected[index, : len(others[:count])] = others[:count]
    np.testing.assert_array_equal(tracks.neighbours_of(rows, count), expected)
    together = tracks.rows_together(rows)
    for row, found in zip(rows, together, strict=True):
        assert sorted(found[found >= 0]) == np.flatnonzero(tracks.instants == tracks.instants[row]).tolist()
    # Linked windows are those of the linked rows.
    windows = windows_at(tracks, rows, length=1, neighbours=count)
    for index in range(len(rows)):
        linked = windows.neighbours[index]
        positions = windows.observations[linked[linked >= 0], 0].numpy()
        np.testing.assert_allclose(positions, tracks.observations[expected[index][expected[index] >= 0]], rtol=1e-6)


def test_extra_windows_are_neighbours_but_know_no_future_and_have_no_neighbours(crowd):
    alone, heard = (windows_at(crowd, np.array([3]), length=3, neighbours=count) for count in (0, 2))
    assert len(alone.labels) == 1
    assert heard.neighbours.tolist() == [[1, -1], [-1, -1]]
    assert heard.observations[1].tolist() == [[1, 3], [2, 3], [3, 3]]
    assert heard.known[0].all()
    assert not heard.known[1:].any()
    assert torch.equal(heard.observations[:1], alone.observations)


def test_a_window_that_is_asked_for_twice_is_there_twice(crowd):
    windows = windows_at(crowd, np.array([3, 13, 3]), length=2, neighbours=1)
    assert len(windows.labels) == 3
    assert torch.equal(windows.observations[0], windows.observations[2])
    assert windows.neighbours[0] == windows.neighbours[2] == 1
    assert windows.neighbours[1] in (0, 2)
    assert windows.known.all()


def test_no_ends_are_no_windows(crowd):
    windows = windows_at(crowd, np.zeros(0, int), length=4, neighbours=2)
    assert windows.observations.shape == (0, 4, 2)
    assert windows.neighbours.shape == (0, 2)
    assert windows.futures.shape == (0, 2, 2)


@pytest.mark.parametrize("seed", range(3))
def test_changing_the_future_leaves_every_input_unchanged(seed):
    """Positions, features, truth of all that comes after an instant, also of the neighbours."""
    tracks, now = _random_set(seed, tracks=30), 6
    is_later = tracks.instants > now
    ends = np.flatnonzero(tracks.instants == now)
    assert is_later.any()
    assert len(ends) > 3
    features = np.ones((len(tracks.observations), 2))
    changed = replace(
        tracks,
        observations=tracks.observations + 5.0 * is_later[:, None],
        unseen_s=tracks.unseen_s + is_later,
        truth=tracks.truth + 5.0 * is_later[:, None],
        features=features + is_later[:, None],
    )
    before, after = (
        windows_at(some, ends, length=4, neighbours=3) for some in (replace(tracks, features=features), changed)
    )
    for name in ("observations", "dt_s", "unseen_s", "features", "labels", "lengths", "neighbours"):
        assert torch.equal(getattr(before, name), getattr(after, name)), name
    assert not torch.equal(before.futures, after.futures)


def test_joined_sets_keep_their_instants_their_labels_and_their_futures_apart(crowd):
    lost = crowd.truth_rows.copy()
    lost[7] = -1
    second, size = replace(crowd, truth=crowd.truth + 100, truth_rows=lost), len(crowd.observations)
    both = join([crowd, second])
    assert both.grid == crowd.grid
    assert not set(both.instants[:size]) & set(both.instants[size:])
    np.testing.assert_array_equal(both.ends(3, 1), np.concatenate([crowd.ends(3, 1), second.ends(3, 1) + size]))
    ends = np.array([6, 16, 35])
    windows, shifted = (windows_at(both, ends + more, length=3, neighbours=2) for more in (0, size))
    alone = windows_at(crowd, ends, length=3, neighbours=2)
    for name, part in vars(alone).items():
        if part is not None:
            assert torch.equal(getattr(windows, name), part), name
            if name != "futures":
                assert torch.equal(getattr(shifted, name), part), name
    assert torch.equal(shifted.futures[:3], alone.futures[:3] + 100)
    assert both.truth_rows[size + 7] == -1


def test_features_are_joined_with_none_as_zeros(crowd):
    features = np.ones((len(crowd.observations), 2), np.float32)
    both = join([crowd, replace(crowd, features=features)])
    assert both.feature_size == 2
    assert both.features[: len(features)].max() == 0
    assert both.features[len(features) :].min() == 1


def test_rows_are_drawn_together_with_all_of_their_instant(crowd):
    ends = crowd.ends(2, 1)
    rng = np.random.default_rng(0)
    rows = crowd.sample(ends, 7, rng, together=True)
    assert len(rows) == 7
    assert set(rows) <= set(ends)
    assert len(set(rows)) == len(rows)
    # Whole instants, but for the last one, which may be cut.
    instants = crowd.instants[rows]
    for instant in instants[instants != instants[-1]]:
        wanted = [row for row in ends if crowd.instants[row] == instant]
        assert sorted(rows[instants == instant]) == wanted
    first = crowd.sample(ends, 7, np.random.default_rng(0), together=True)
    np.testing.assert_array_equal(first, rows)


def _crowds(*sizes: int) -> TrackSet:
    """At each instant so many objects, each seen twice and known ahead."""
    count = sum(sizes)
    instants = np.repeat(np.arange(len(sizes)), sizes)
    return TrackSet(
        observations=np.zeros((2 * count, 14)),
        times_s=np.tile([0.0, 0.1], count),
        unseen_s=np.zeros(2 * count),
        features=np.zeros((2 * count, 0)),
        starts=np.arange(0, 2 * count + 1, 2),
        labels=np.zeros(count, int),
        instants=np.stack([2 * instants, 2 * instants + 1], axis=1).reshape(-1),
        truth=np.zeros((2 * count, 2)),
        known=np.ones(2 * count, bool),
        truth_rows=np.arange(2 * count),
        truth_ends=np.full(2 * count, 10**6),
        grid=GROUND_GRID,
    )


def test_a_row_is_drawn_as_often_in_a_crowd_as_alone():
    tracks = _crowds(*[30] * 10, *[1] * 300)
    ends = tracks.ends(2, 1)
    is_crowded = ends < 2 * 300
    rng = np.random.default_rng(0)
    for weights, expected in ((None, 0.5), (np.where(is_crowded, 3.0, 1.0), 0.75)):
        for together in (False, True):
            drawn = np.concatenate(
                [tracks.sample(ends, 64, rng, together=together, weights=weights) for _ in range(150)]
            )
            assert (drawn < 2 * 300).mean() == pytest.approx(expected, abs=0.06), (together, expected)


def test_rows_that_are_drawn_alone_are_ends(crowd):
    ends = crowd.ends(2, 1)
    rows = crowd.sample(ends, 500, np.random.default_rng(0), together=False)
    assert set(rows) == set(ends)
    assert len(rows) == 500


def test_windows_can_be_moved_to_a_device(crowd):
    windows = windows_at(crowd, np.array([6]), length=2, neighbours=1)
    moved = windows.to(torch.device("meta"))
    assert {part.device.type for part in vars(moved).values() if part is not None} == {"meta"}
    assert moved.features is None
