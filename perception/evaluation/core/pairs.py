"""All pairs of rows of two tables that lie in one image, as arrays: what is matched is chosen among them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from perception.arrays import IntArray
from perception.types import BoxTable, IgnoredRegions

PAIRS_AT_ONCE = 1_000_000
"""About so many pairs are made at once, so that crowded pictures need no more memory than others."""

Int64 = NDArray[np.int64]


def image_numbers(*tables: BoxTable | IgnoredRegions) -> list[Int64]:
    """For each table (M,) a number of each row's image, the same in all of them; it grows with camera and frame."""
    cameras = np.concatenate([np.zeros(0, "U1"), *(table.cameras for table in tables)])
    frames = np.concatenate([np.zeros(0, np.int64), *(table.frame_indices for table in tables)])
    _, camera_of = np.unique(cameras, return_inverse=True)
    span = int(frames.max(initial=0)) + 1
    numbers = camera_of.reshape(-1).astype(np.int64) * span + frames
    return np.split(numbers, np.cumsum([len(table) for table in tables])[:-1])


def pairs_of_groups(first: IntArray, second: IntArray) -> Iterator[tuple[Int64, Int64]]:
    """The rows of all pairs of ``first`` (N,) and ``second`` (M,), numbers of groups, that are of the same group.

    They come in pieces of about ``PAIRS_AT_ONCE``, in the order of ``first``, then of ``second``.
    """
    order = np.argsort(second, kind="stable")
    ranked = second[order]
    starts = np.searchsorted(ranked, first, side="left")
    counts = np.searchsorted(ranked, first, side="right") - starts
    ends = np.cumsum(counts)
    piece = (ends - counts) // PAIRS_AT_ONCE
    for rows in np.split(np.arange(len(first)), np.flatnonzero(np.diff(piece)) + 1):
        own = counts[rows]
        total = int(own.sum())
        if total:
            within = np.arange(total) - np.repeat(np.cumsum(own) - own, own)
            yield np.repeat(rows, own), order[np.repeat(starts[rows], own) + within]
