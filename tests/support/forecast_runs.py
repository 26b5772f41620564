"""Recordings of moving boxes and the forecasts that a run would make on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from support.evaluation_tables import table

from perception.arrays import FloatArray
from perception.evaluation.core.records import InstantForecasts
from perception.types import BoxTable, Forecasts

WIDTH_PX, HEIGHT_PX = 1000, 500
DT_S, STEPS = 0.1, 30
FRAME_NS = 200_000_000
HALF_PX = 20.0

Motion = Callable[[FloatArray], FloatArray]
"""Centres (E, 2) in pixels at times (E,) in seconds."""


def timestamps_ns(frames: int) -> np.ndarray:
    """Five frames per second, from some hour of some day."""
    return 1_700_000_000_000_000_000 + FRAME_NS * np.arange(frames, dtype=np.int64)


def truth_of(paths: dict[int, Motion], *, frames: int = 40) -> BoxTable:
    """The boxes, 40 px wide, of objects that follow ``paths``."""
    times = np.arange(frames) * FRAME_NS * 1e-9
    rows = []
    for identity, path in paths.items():
        for frame, (x, y) in enumerate(path(times)):
            rows.append((frame, identity, (x - HALF_PX, y - HALF_PX, x + HALF_PX, y + HALF_PX)))
    return table(rows)


def records_of(
    truth: BoxTable,
    forecast: Callable[[FloatArray, FloatArray], FloatArray],
    *,
    frames: int = 40,
    stds_px: float = 0.0,
    probabilities: tuple[float, ...] = (1.0,),
    offsets_px: tuple[float, ...] = (0.0,),
    with_states: bool = True,
) -> list[InstantForecasts]:
    """Tracks that are the truth; ``forecast(centres, velocities)`` gives centres (N, T, 2) in pixels.

    Velocities (N, 2) in pixels per second are backward differences, and so are the states of the filter. Each of the
    futures lies ``offsets_px`` beside the forecast in x.
    """
    records, before = [], {}
    size = np.array([WIDTH_PX, HEIGHT_PX])
    for frame, timestamp in enumerate(timestamps_ns(frames)):
        rows = truth[truth.frame_indices == frame]
        centres = (rows.boxes_xyxy_px[:, :2] + rows.boxes_xyxy_px[:, 2:]) / 2
        earlier = np.array([before.get(identity, centre) for identity, centre in zip(rows.ids, centres, strict=True)])
        velocities = (centres - earlier.reshape(-1, 2)) / (FRAME_NS * 1e-9)
        before = dict(zip(rows.ids, centres, strict=True))
        single = forecast(centres, velocities)
        modes = single[:, None] + np.array(offsets_px)[None, :, None, None] * np.array([1.0, 0.0])
        means = np.concatenate([modes / size, np.full((*modes.shape[:3], 2), 0.05)], axis=-1)
        stds = np.broadcast_to(np.r_[stds_px / size, 0.0, 0.0], means.shape).copy()
        states = np.concatenate(
            [centres / size, np.zeros((len(rows), 2)), velocities / size, np.zeros((len(rows), 2))], 1
        )
        records.append(
            InstantForecasts(
                frame_index=frame,
                timestamp_ns=int(timestamp),
                track_ids=rows.ids,
                boxes_xyxy_px=rows.boxes_xyxy_px,
                cameras=rows.cameras,
                image_sizes_px=np.tile(size, (len(rows), 1)),
                forecasts=Forecasts(
                    track_ids=rows.ids,
                    probabilities=np.tile(probabilities, (len(rows), 1)),
                    means=means,
                    stds=stds,
                    dt_s=DT_S,
                ),
                state_means=states if with_states else None,
            )
        )
    return records


def straight(velocity_px_per_s: tuple[float, float], start_px: tuple[float, float] = (100.0, 100.0)) -> Motion:
    """A path at constant velocity."""
    return lambda times: np.array(start_px) + times[:, None] * np.array(velocity_px_per_s)


def turning(speed_px_per_s: float, start_px: tuple[float, float]) -> Motion:
    """A path on a circle, half a radian per second."""

    def path(times: FloatArray) -> FloatArray:
        angle = 0.5 * times
        return np.array(start_px) + speed_px_per_s / 0.5 * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1)

    return path


def stay(centres: FloatArray, velocities: FloatArray) -> FloatArray:
    """A forecaster that expects everything to stop."""
    return np.repeat(centres[:, None], STEPS, axis=1)


def go_on(centres: FloatArray, velocities: FloatArray) -> FloatArray:
    """A forecaster at constant velocity."""
    times = DT_S * np.arange(1, STEPS + 1)
    return centres[:, None] + velocities[:, None] * times[None, :, None]
