"""Everything stays where it is: what ``--forecaster stays:SECONDS`` opens."""

from __future__ import annotations

import numpy as np

from perception import Forecasts, Tracks
from perception.arrays import FloatArray
from perception.plugins import ForecasterRequest
from perception.types import EgoMotions


class StayingForecaster:
    """One future of ten steps over ``horizon_s``, in the image frame, ever less certain."""

    def __init__(self, horizon_s: float) -> None:
        self._dt_s = horizon_s / 10

    def reset(self) -> None:
        """It remembers nothing."""

    def step(
        self,
        tracks: Tracks,
        timestamp_ns: int,
        world_from_vehicle: FloatArray | None = None,
        ego_motions: EgoMotions | None = None,
    ) -> Forecasts:
        count = len(tracks)
        spreads = 0.01 * np.sqrt(np.arange(1, 11))[:, None]
        return Forecasts(
            track_ids=tracks.ids,
            probabilities=np.ones((count, 1)),
            means=np.repeat(tracks.means[:, None, None, :4], 10, axis=2),
            stds=np.broadcast_to(spreads, (count, 1, 10, 4)).copy(),
            dt_s=self._dt_s,
        )


def open_forecaster(request: ForecasterRequest) -> StayingForecaster:
    """``stays`` looks two seconds ahead, ``stays:3`` three."""
    if request.reference_frame != "image":
        raise ValueError("it knows the image frame only")
    return StayingForecaster(float(request.argument or 2))
