"""Synthetic tracks: as many objects as wanted around the car, all seen, as a load for tracker and forecaster."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.cameras import Rig
from perception.geometry.cuboids import corners_of, frames_around
from perception.geometry.rotation import rotation_about_z
from perception.taxonomy import CLASSES, USUAL_SIZES_LWH_M
from perception.types import Detections

_NEAREST_M, _FARTHEST_M = 6.0, 45.0
_FASTEST_MPS = 8.0
_RATE_HZ = 10.0
_EDGE_STD_PX = 0.7


class SyntheticTracks:
    """``count`` road users that circle around a standing car; ``instants`` gives what a detector would find of them in
    the pictures of ``rig``, with features (``feature_size``) of ``feature_space``.

    The same seed gives the same tracks.
    """

    def __init__(self, rig: Rig, count: int, *, feature_size: int, feature_space: str, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._rig, self._feature_space = rig, feature_space
        # Spread evenly over the area, so that the far ones are many as in a street.
        self._radii_m = np.sqrt(np.linspace(_NEAREST_M**2, _FARTHEST_M**2, count))
        self._angles_rad = self._rng.uniform(-np.pi, np.pi, count)
        self._turn_rad_s = self._rng.uniform(0.2, 1.0, count) * _FASTEST_MPS / self._radii_m
        self._labels = self._rng.integers(len(CLASSES), size=count)
        self._sizes_lwh_m = np.array(USUAL_SIZES_LWH_M)[self._labels]
        features = self._rng.normal(size=(count, feature_size)).astype(np.float32)
        self._features = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)

    def instants(self) -> Iterator[tuple[int, list[Detections]]]:
        """Time stamp in nanoseconds and the detections of every camera, ten times a second, without end."""
        step = 0
        while True:
            time_s = step / _RATE_HZ
            yield round(time_s * 1e9), self._detections(self._angles_rad + self._turn_rad_s * time_s)
            step += 1

    def _detections(self, angles_rad: FloatArray) -> list[Detections]:
        centres_m = np.stack([np.cos(angles_rad), np.sin(angles_rad), np.zeros(len(angles_rad))], axis=1)
        centres_m *= self._radii_m[:, None]
        centres_m[:, 2] = self._rig.road_height_m + self._sizes_lwh_m[:, 2] / 2
        corners_m = corners_of(centres_m, rotation_about_z(angles_rad + np.pi / 2), self._sizes_lwh_m)
        found = []
        for camera in self._rig.cameras.values():
            boxes = frames_around(corners_m, camera)
            rows = np.flatnonzero(np.isfinite(boxes).all(axis=1))
            boxes = boxes[rows] + self._rng.normal(0, _EDGE_STD_PX, (len(rows), 4))
            boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
            found.append(
                Detections(
                    boxes_xyxy_px=boxes,
                    scores=self._rng.uniform(0.5, 0.9, len(rows)),
                    labels=self._labels[rows],
                    features=self._features[rows],
                    camera=camera.name,
                    image_size_px=camera.size_px,
                    feature_space=self._feature_space,
                )
            )
        return found
