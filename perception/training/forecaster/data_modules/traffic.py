"""Simulated drives without pictures in a configuration: their seeds, their length, their frame rates."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field


class TrafficConfig(BaseModel):
    """Simulated drives without pictures: the detector's boxes are made from the truth, with its faults.

    ``drives`` of ``duration_s`` with the seeds from ``first_seed`` on, tracked at every ``stride``-th instant of 10 per
    second.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    first_seed: int = Field(ge=0)
    drives: int = Field(gt=0)
    duration_s: float = Field(40.0, gt=5)
    strides: tuple[int, ...] = (1,)

    @property
    def seeds(self) -> range:
        """One for each drive."""
        return range(self.first_seed, self.first_seed + self.drives)

    def share(self, share: float) -> Sequence[int]:
        """The seeds of the first so many of the drives, at least one."""
        return self.seeds[: math.ceil(share * self.drives)]


class SurroundTrafficConfig(TrafficConfig):
    """The same, seen by the cameras of ``rig`` on the ground."""

    rig: str = "surround-six"


def check_traffic_disjoint(train: TrafficConfig | None, validation: TrafficConfig | None) -> None:
    """Raises ``ValueError`` where a drive is both trained on and validated on."""
    if train is not None and validation is not None and set(train.seeds) & set(validation.seeds):
        raise ValueError("traffic_validation shares seeds with traffic; choose a first_seed beyond them")
