"""Hand-made tracks in the world, and small synthetic drives with ground truth: turns, stops, walkers, noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perception.taxonomy import USUAL_SIZES_LWH_M
from perception.types import ObjectTable, Tracks

ObservedInstants = list[tuple[int, Tracks, np.ndarray]]


def make_ground_tracks(
    positions_m: np.ndarray,
    ids: Sequence[int] | np.ndarray,
    *,
    velocities_mps: np.ndarray | None = None,
    headings_rad: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    covariances: np.ndarray | None = None,
    features: np.ndarray | None = None,
    space: str = "",
) -> Tracks:
    """Tracks at positions (N, 2) in the world, seen now by one camera; the box in the image means nothing."""
    count = len(ids)
    velocities_mps = np.zeros((count, 2)) if velocities_mps is None else velocities_mps
    sides_m = np.tile([2.0, 1.6], (count, 1))
    return Tracks(
        ids=np.asarray(ids, np.int64),
        labels=np.zeros(count, np.int64) if labels is None else labels,
        scores=np.ones(count),
        means=np.concatenate([positions_m, sides_m, velocities_mps, np.zeros((count, 2))], axis=1).astype(float),
        covariances=np.tile(np.eye(8) * 0.04, (count, 1, 1)) if covariances is None else covariances,
        boxes_xyxy_px=np.tile([10.0, 10, 50, 40], (count, 1)),
        cameras=np.full(count, "front"),
        image_sizes_px=np.tile([640, 360], (count, 1)),
        ages_s=np.zeros(count),
        unseen_s=np.zeros(count),
        features=np.zeros((count, 0), np.float32) if features is None else features,
        feature_space=space,
        reference_frame="ground",
        headings_rad=np.zeros(count) if headings_rad is None else headings_rad,
    )


def pose(x_m: float = 0.0, y_m: float = 0.0, yaw_rad: float = 0.0) -> np.ndarray:
    """``world_from_vehicle`` (4, 4) of a car on a flat road."""
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(yaw_rad), -np.sin(yaw_rad)], [np.sin(yaw_rad), np.cos(yaw_rad)]]
    matrix[:2, 3] = x_m, y_m
    return matrix


def rotated(tracks: Tracks, angle_rad: float, shift_m: tuple[float, float] = (0.0, 0.0)) -> Tracks:
    """The same tracks in a world that was turned about its origin, then moved."""
    turn = np.eye(8)
    for start in (0, 4):
        turn[start : start + 2, start : start + 2] = pose(yaw_rad=angle_rad)[:2, :2]
    means = tracks.means @ turn.T
    means[:, :2] += shift_m
    return Tracks(
        **{
            **vars(tracks),
            "means": means,
            "covariances": turn @ tracks.covariances @ turn.T,
            "headings_rad": tracks.headings_rad + angle_rad,
        }
    )


def synthetic_drive(
    rng: np.random.Generator, *, objects: int = 12, duration_s: float = 16.0, dt_s: float = 0.1
) -> tuple[ObjectTable, ObservedInstants]:
    """Cars that turn, stop and start, and walkers, around a car that drives east; tracked with noise and gaps."""
    steps = round(duration_s / dt_s)
    labels = np.where(np.arange(objects) % 3 == 2, 5, 0)
    is_walker = labels == 5
    positions_m = rng.uniform(-30, 30, (objects, 2))
    yaws_rad = rng.uniform(-np.pi, np.pi, objects)
    speeds_mps = np.where(is_walker, 1.3, rng.uniform(0, 12, objects))
    tracker = _Filter(labels)
    truth, observed = [], []
    wanted_mps, turn_rates = speeds_mps.copy(), np.zeros(objects)
    for step in range(steps):
        # Every few seconds each object changes its mind about speed and direction.
        changes = rng.random(objects) < dt_s / 3
        next_mps = np.where(rng.random(objects) < 0.4, 0.0, rng.uniform(4, 12, objects))
        wanted_mps = np.where(is_walker, 1.3, np.where(changes, next_mps, wanted_mps))
        turn_rates = np.where(changes, rng.choice([-0.35, 0, 0, 0.35], objects), turn_rates)
        speeds_mps = speeds_mps + np.clip(wanted_mps - speeds_mps, -3 * dt_s, 2 * dt_s)
        yaws_rad = yaws_rad + turn_rates * np.minimum(speeds_mps / 5, 1) * dt_s
        fronts = np.stack([np.cos(yaws_rad), np.sin(yaws_rad)], axis=1)
        positions_m = positions_m + speeds_mps[:, None] * fronts * dt_s
        timestamp_ns, car = round(step * dt_s * 1e9), pose(5.0 * step * dt_s)
        truth.append((timestamp_ns, positions_m, yaws_rad, speeds_mps))
        observed.append((timestamp_ns, tracker.observe(positions_m, yaws_rad, car, dt_s, rng), car))
    return _table(truth, labels), observed


class _Filter:
    """A tracker that never takes one object for another: a Kalman filter of constant velocity over noisy positions."""

    def __init__(self, labels: np.ndarray) -> None:
        self._labels = labels
        self._means = np.zeros((len(labels), 4))
        self._covariance = np.tile(np.diag([100.0, 100, 25, 25]), (len(labels), 1, 1))

    def observe(
        self, positions_m: np.ndarray, yaws_rad: np.ndarray, car: np.ndarray, dt_s: float, rng: np.random.Generator
    ) -> Tracks:
        std_m = 0.05 + 0.015 * np.linalg.norm(positions_m - car[:2, 3], axis=1)
        evaluated = positions_m + std_m[:, None] * rng.normal(size=positions_m.shape)
        move = np.eye(4)
        move[:2, 2:] = np.eye(2) * dt_s
        self._means = self._means @ move.T
        self._covariance = move @ self._covariance @ move.T + np.diag([0.0, 0, 4, 4]) * dt_s
        gain = self._covariance[:, :, :2] @ np.linalg.inv(
            self._covariance[:, :2, :2] + np.eye(2) * std_m[:, None, None] ** 2
        )
        self._means = self._means + np.einsum("nij,nj->ni", gain, evaluated - self._means[:, :2])
        self._covariance = self._covariance - gain @ self._covariance[:, :2]
        seen = rng.random(len(positions_m)) < 0.97
        covariances = np.tile(np.eye(8) * 0.01, (len(positions_m), 1, 1))
        index = np.array([0, 1, 4, 5])
        covariances[:, index[:, None], index] = self._covariance
        tracks = make_ground_tracks(
            self._means[:, :2],
            np.arange(len(positions_m)),
            velocities_mps=self._means[:, 2:],
            headings_rad=yaws_rad,
            labels=self._labels,
            covariances=covariances,
        )
        return tracks[seen]


def _table(truth: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]], labels: np.ndarray) -> ObjectTable:
    count, steps = len(labels), len(truth)
    sizes_m = np.array(USUAL_SIZES_LWH_M)[labels]
    centres_m = np.concatenate([np.concatenate([t[1] for t in truth]), np.tile(sizes_m[:, 2:] / 2, (steps, 1))], axis=1)
    return ObjectTable(
        timestamps_ns=np.repeat([t[0] for t in truth], count),
        ids=np.tile(np.arange(count) + 100, steps),
        labels=np.tile(labels, steps),
        scores=np.ones(count * steps),
        centres_m=centres_m,
        sizes_lwh_m=np.tile(sizes_m, (steps, 1)),
        yaws_rad=np.concatenate([t[2] for t in truth]),
        speeds_mps=np.concatenate([t[3] for t in truth]),
    )
