"""Tracks survive the disk; damaged files are named."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from perception.errors import UsageError
from perception.forecasting.track_dataset import IMAGE_GRID, TrackSet
from perception.training.forecaster.tracks.track_cache import read_tracks, write_tracks


def _tracks() -> TrackSet:
    rng = np.random.default_rng(0)
    return TrackSet(
        observations=rng.random((5, 8)),
        times_s=np.arange(5.0),
        unseen_s=np.zeros(5),
        features=rng.random((5, 3)).astype(np.float32),
        starts=np.array([0, 2, 5]),
        labels=np.array([1, 5]),
        instants=np.array([0, 1, 0, 1, 2]),
        truth=rng.random((5, 4)),
        known=np.array([True, False, True, True, True]),
        truth_rows=np.arange(5),
        truth_ends=np.array([2, 2, 5, 5, 5]),
        grid=IMAGE_GRID,
    )


def test_tracks_survive_the_disk(tmp_path):
    tracks = _tracks()
    write_tracks(tmp_path / "t.npz", tracks)
    again = read_tracks(tmp_path / "t.npz")
    assert again.grid == tracks.grid
    for field in fields(TrackSet):
        if field.name != "grid":
            np.testing.assert_array_equal(getattr(again, field.name), getattr(tracks, field.name))


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "t.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"t\.npz"):
        read_tracks(path)
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(UsageError, match=r"other\.npz"):
        read_tracks(tmp_path / "other.npz")
