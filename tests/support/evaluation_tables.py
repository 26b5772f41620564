"""Box tables for the tests of the evaluation, by hand, at random, and from MOTChallenge files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from perception.types import BoxTable

Row = tuple[int, int, tuple[float, float, float, float]]


def table(
    rows: Sequence[Row],
    *,
    labels: int | Sequence[int] = 0,
    scores: float | Sequence[float] = 1.0,
    cameras: str | Sequence[str] = "front",
) -> BoxTable:
    """Rows of (frame, id, box); labels, scores and cameras for all or one per row."""
    count = len(rows)
    return BoxTable(
        frame_indices=np.array([frame for frame, _, _ in rows], np.int64),
        ids=np.array([identity for _, identity, _ in rows], np.int64),
        labels=np.broadcast_to(np.array(labels, np.int64), (count,)).copy(),
        scores=np.broadcast_to(np.array(scores, np.float64), (count,)).copy(),
        boxes_xyxy_px=np.array([box for _, _, box in rows], np.float64).reshape(count, 4),
        cameras=np.broadcast_to(np.array(cameras, dtype="U16"), (count,)).copy(),
    )


def random_table(
    rng: np.random.Generator, *, frames: int = 12, objects: int = 6, labels: Sequence[int] = (0,), presence: float = 0.8
) -> BoxTable:
    """Objects of 20 to 60 px that walk through a 200 px image, each there in some of the frames."""
    start, step = rng.uniform(0, 150, (objects, 2)), rng.normal(0, 4, (objects, 2))
    size = rng.uniform(20, 60, (objects, 2))
    frame, identity = np.nonzero(rng.uniform(size=(frames, objects)) < presence)
    corner = start[identity] + frame[:, None] * step[identity]
    return BoxTable(
        frame_indices=frame,
        ids=identity,
        labels=np.array(labels, np.int64)[identity % len(labels)],
        scores=np.ones(len(frame)),
        boxes_xyxy_px=np.concatenate([corner, corner + size[identity]], axis=1),
        cameras=np.full(len(frame), "front"),
    )


def disturbed(rng: np.random.Generator, truth: BoxTable, *, jitter_px: float = 5.0, extra: int = 10) -> BoxTable:
    """Tracks as a mediocre tracker would write them: moved, missed, with changed ids and false positives."""
    kept = truth[rng.uniform(size=len(truth)) < 0.8]
    noise = random_table(rng, frames=int(truth.frame_indices.max()) + 1, objects=2, presence=extra / 50)
    changes = rng.uniform(size=len(kept)) < 0.1
    ids = np.r_[np.where(changes, kept.ids + 100 + kept.frame_indices, kept.ids), noise.ids + 10_000]
    boxes = np.concatenate([kept.boxes_xyxy_px, noise.boxes_xyxy_px]).astype(np.float64)
    return BoxTable(
        frame_indices=np.r_[kept.frame_indices, noise.frame_indices],
        ids=ids,
        labels=np.r_[kept.labels, noise.labels],
        scores=np.round(rng.uniform(0.05, 1.0, len(ids)), 2),
        boxes_xyxy_px=boxes + rng.normal(0, jitter_px, (len(boxes), 1)) + rng.normal(0, 1, (len(boxes), 4)),
        cameras=np.concatenate([kept.cameras, np.full(len(noise), kept.cameras[0])]),
    )


def read_motchallenge(path: Path) -> BoxTable:
    """The shared motorway truth: frame from 1, id, left, top, width, height, flag, class from 1."""
    values = np.loadtxt(path, delimiter=",")
    return BoxTable(
        frame_indices=values[:, 0].astype(np.int64) - 1,
        ids=values[:, 1].astype(np.int64),
        labels=values[:, 7].astype(np.int64) - 1,
        scores=np.ones(len(values)),
        boxes_xyxy_px=np.concatenate([values[:, 2:4], values[:, 2:4] + values[:, 4:6]], axis=1),
        cameras=np.full(len(values), "front"),
    )
