"""How each camera turned during a run: what was later seen elsewhere only because the camera turned.

A forecast in the image holds for the camera as it points now. So the true future is compared as that camera would see
it: what turning moved after that instant is taken out again, where the run knew it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perception.arrays import FloatArray, IntArray
from perception.evaluation.core.records import InstantForecasts
from perception.geometry.turning import lens_of, pointing_at, pointings, turned_dots


@dataclass(frozen=True)
class CameraTurning:
    """One camera of a run: ``world_from_camera`` (I, 3, 3) at growing times (I,); ``lens_px`` (4,): see
    ``geometry.turning``."""

    start_ns: int
    times_s: FloatArray
    world_from_camera: FloatArray
    lens_px: FloatArray

    @classmethod
    def by_camera(cls, records: Sequence[InstantForecasts]) -> dict[str, CameraTurning]:
        """Of each camera whose motion the run knew at least once; where it did not, the camera is taken not to turn."""
        cameras = sorted({camera for record in records for camera in record.ego_motions})
        return {camera: cls._of(camera, records) for camera in cameras}

    @classmethod
    def _of(cls, camera: str, records: Sequence[InstantForecasts]) -> CameraTurning:
        motions = [record.ego_motions.get(camera) for record in records]
        path = pointings([None if motion is None else motion.now_from_before for motion in motions])
        start_ns = records[0].timestamp_ns
        times_s = np.array([(record.timestamp_ns - start_ns) * 1e-9 for record in records])
        matrix = next(motion.camera_matrix for motion in motions if motion is not None)
        return cls(start_ns, times_s, path, lens_of(matrix, (1, 1)))

    def as_pointing_at(self, now_ns: int, points_px: FloatArray, times_ns: IntArray) -> FloatArray:
        """(N, E, 2): ``points_px`` (N, E, 2), seen at ``times_ns`` (N, E), of a camera that points as at ``now_ns``.

        NaN for what would not be before the camera.
        """
        world_from_now = self._pointing(np.array([now_ns]))[0]
        now_from_then = world_from_now.T @ self._pointing(times_ns)
        return turned_dots(points_px, now_from_then, self.lens_px)

    def _pointing(self, times_ns: IntArray) -> FloatArray:
        """(..., 3, 3): ``world_from_camera`` at times (...)."""
        return pointing_at((times_ns - self.start_ns) * 1e-9, self.times_s, self.world_from_camera)
