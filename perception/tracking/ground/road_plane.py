"""Where the road lies: a plane under the car, which what is seen corrects.

A rig states the height of the road; the car pitches, roads rise and fall, calibrations err. A road user of usual
height stands at a distance that its box's height gives; the ray through its foot is on the road there, so each one
is a measurement of the road's height at one position. Many of them, weighed against outliers, give the plane.

Most roads have no slope against the car, and what is seen errs together: always a little to one side, which reads as
a slope. So two answers are kept, that the road lies as the rig states and that it may lie anyhow, and each counts as
much as what was seen speaks for it. A slope must be clear to be believed.

Vehicles of one country or one renderer are all a little larger or smaller than usual, which looks like a lower or a
higher road. So that share is estimated with the plane, each held by how far it usually strays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from perception.arrays import FloatArray, StructOfArrays

MIN_DEPTH_M, MAX_DEPTH_M = 0.5, 200.0
"""Nearer than this a camera sees no whole object; farther away a box measures no distance."""

MIN_DROP_M = 0.3
"""A camera is taken to be at least this high above the road where something is divided by its height."""

_MIN_DROP = 1e-3
"""Rays that sink less than this towards the road, per metre, do not meet it."""

_FIRST_ROUNDS = 4
"""Of linearising and reweighting, as long as nothing is known; later one is enough, for the plane moves little."""


class RoadSettings(BaseModel):
    """How far roads stray from a flat plane at the height that the rig states."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    height_std_m: PositiveFloat = Field(default=0.05, description="spread of the road's height under the car")
    slope_std_deg: PositiveFloat = Field(default=1.0, description="spread of its slope against the car, both ways")
    unevenness_deg: PositiveFloat = Field(
        default=0.3, description="a position lies off the plane by about this angle, seen from under the car"
    )
    flat_share: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="how probable it is that the road lies as the rig states, without slope",
    )
    flat_height_std_m: PositiveFloat = Field(default=0.02, description="spread of its height in that case")
    flat_slope_std_deg: PositiveFloat = Field(default=0.03, description="spread of its slope in that case")
    flat_unevenness_deg: PositiveFloat = Field(default=0.05, description="its unevenness in that case")
    vehicle_scale_std: PositiveFloat = Field(
        default=0.1, description="spread of how much larger than usual the vehicles of a region are, as a share"
    )
    settle_s: PositiveFloat = Field(
        default=2.0,
        description="time after which the same objects count as a new measurement: their errors correlate",
    )
    forget_s: PositiveFloat = Field(default=10.0, description="time constant with which old measurements lose weight")
    outlier_stds: PositiveFloat = Field(
        default=2.0, description="measurements farther from the plane lose weight, in standard deviations"
    )


@dataclass(frozen=True)
class RoadPlane:
    """The road in the vehicle's axes: ``z = height + slope_x * x + slope_y * y``.

    ``coefficients`` (3,) are these three, metres and metres per metre, ``covariance`` (3, 3) their uncertainty,
    ``unevenness`` how far a position strays from the plane, in metres per metre of distance. ``vehicle_scale`` states
    how much larger than usual the cars, trucks and buses on it are.
    """

    coefficients: FloatArray
    covariance: FloatArray
    unevenness: float
    vehicle_scale: float = 1.0

    def heights_m(self, positions_m: FloatArray) -> FloatArray:
        """(...,): the road's z at positions (..., 2)."""
        heights: FloatArray = self.coefficients[0] + positions_m @ self.coefficients[1:]
        return heights

    def height_stds_m(self, positions_m: FloatArray) -> FloatArray:
        """(...,): how uncertain that height is."""
        design = _design(positions_m)
        variances = ((design @ self.covariance) * design).sum(axis=-1)
        stds: FloatArray = np.sqrt(variances + self.unevenness**2 * np.square(positions_m).sum(axis=-1))
        return stds

    def meet(self, origins_m: FloatArray, rays: FloatArray) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
        """Where rays (N, 3), per metre of depth, from points (N, 3) meet the road, and whether they do (N,).

        Returns the depths (N,), ``MAX_DEPTH_M`` where they do not, and how fast the rays sink towards it (N,).
        """
        above_m = origins_m[:, 2] - self.heights_m(origins_m[:, :2])
        drops = rays[:, :2] @ self.coefficients[1:] - rays[:, 2]
        meets = (drops > _MIN_DROP) & (above_m > 0)
        depths_m = np.where(meets, above_m / np.where(meets, drops, 1.0), MAX_DEPTH_M)
        return np.clip(depths_m, MIN_DEPTH_M, MAX_DEPTH_M), np.maximum(drops, _MIN_DROP), meets


@dataclass(frozen=True, kw_only=True)
class RoadSamples(StructOfArrays):
    """Feet of road users: rays ``rays`` (N, 3), per metre of depth, from ``origins_m`` (N, 3) reach the road.

    At ``depths_m`` (N,), by the usual height, with a spread of the logarithm of ``depth_stds`` (N,); the ray's own
    height errs by ``ray_stds`` (N,) per metre of depth. ``is_vehicle`` (N,) marks whose sizes stray together.
    """

    origins_m: FloatArray
    rays: FloatArray
    depths_m: FloatArray
    depth_stds: FloatArray
    ray_stds: FloatArray
    is_vehicle: NDArray[np.bool_]


class RoadEstimator:
    """Keeps the plane up to date; starts at the height that the rig states."""

    def __init__(self, road_height_m: float, settings: RoadSettings | None = None) -> None:
        self._settings = settings = settings or RoadSettings()
        self._prior = np.array([road_height_m, 0.0, 0.0, 0.0])
        slope_stds = np.radians([settings.slope_std_deg, settings.flat_slope_std_deg])
        height_stds_m = (settings.height_std_m, settings.flat_height_std_m)
        self._prior_variances = np.square(
            [
                [height, slope, slope, settings.vehicle_scale_std]
                for height, slope in zip(height_stds_m, slope_stds, strict=True)
            ]
        )
        self._unevenness = np.radians([settings.unevenness_deg, settings.flat_unevenness_deg])
        self._prior_shares = np.array([1 - settings.flat_share, settings.flat_share])
        self.reset()

    def reset(self) -> None:
        """Back to what the rig states."""
        self._information = np.zeros((4, 4))
        self._vector = np.zeros(4)
        self._has_seen = False
        self._update_posterior(self._information, self._vector)

    @property
    def plane(self) -> RoadPlane:
        """The road as far as it is known."""
        return self._plane

    def update(self, samples: RoadSamples, dt_s: float) -> RoadPlane:
        """The plane after ``samples``, ``dt_s`` seconds after the last call.

        The accumulated information decays. Objects that are seen again and again err alike, so they count in full only
        once per ``settle_s``.
        """
        settings = self._settings
        fade = np.exp(-dt_s / settings.forget_s)
        share = min(1.0, dt_s / settings.settle_s) if self._has_seen else 1.0
        known, known_vector = fade * self._information, fade * self._vector
        for _ in range(1 if self._has_seen else _FIRST_ROUNDS):
            design, heights_m, variances = self._linearised(samples)
            squared = np.square(heights_m - design @ self._state) / variances
            weights = share / variances / (1 + squared / settings.outlier_stds**2)
            information, vector = (design.T * weights) @ design, (design.T * weights) @ heights_m
            self._update_posterior(known + information, known_vector + vector)
        self._information, self._vector = known + information, known_vector + vector
        self._has_seen |= len(samples) > 0
        return self._plane

    def _update_posterior(self, information: FloatArray, vector: FloatArray) -> None:
        """The posterior of the mixture of the two priors, weighted by their evidence, as one mean and covariance."""
        surprise = vector - information @ self._prior
        covariances = np.linalg.inv(information + np.eye(4) / self._prior_variances[:, :, None])
        moves = covariances @ surprise
        # The marginal likelihoods of two Gaussian models: a wide prior pays for what it would have allowed.
        spread = np.linalg.slogdet(np.eye(4) + self._prior_variances[:, :, None] * information)[1]
        evidence = (moves @ surprise - spread) / 2 + np.log(self._prior_shares)
        shares = np.exp(evidence - evidence.max())
        shares /= shares.sum()
        move = shares @ moves
        strayed = moves - move
        covariance = np.einsum("k,kij->ij", shares, covariances + strayed[:, :, None] * strayed[:, None, :])
        self._state = state = self._prior + move
        unevenness = float(np.sqrt(shares @ np.square(self._unevenness)))
        self._plane = RoadPlane(state[:3], covariance[:3, :3], unevenness, float(np.exp(state[3])))

    def _linearised(self, samples: RoadSamples) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Design (N, 4), measured heights (N,) and their variances (N,), all at the present plane.

        The positions come from both distances, not from the size alone: an object taken for too far would else be too
        low and too far out at once, which reads as a slope.
        """
        plane, origins_m, rays = self._plane, samples.origins_m, samples.rays
        met_m, drops, meets = plane.meet(origins_m, rays)
        near_m = origins_m[:, :2] + met_m[:, None] * rays[:, :2]
        above_m = np.maximum(origins_m[:, 2] - plane.heights_m(origins_m[:, :2]), MIN_DROP_M)
        met_variances = np.square(samples.ray_stds / drops) + np.square(plane.height_stds_m(near_m) / above_m)
        met_share = np.where(meets, 1 / (1 + met_variances / np.square(samples.depth_stds)), 0.0)
        scales = np.where(samples.is_vehicle, plane.vehicle_scale, 1.0)
        depths_m = np.exp(met_share * np.log(met_m) + (1 - met_share) * np.log(scales * samples.depths_m))
        positions_m = origins_m[:, :2] + depths_m[:, None] * rays[:, :2]
        by_size_m = origins_m + samples.depths_m[:, None] * rays
        misses_m = by_size_m[:, 2] - plane.heights_m(by_size_m[:, :2])
        above_m = np.maximum(origins_m[:, 2] - plane.heights_m(positions_m), MIN_DROP_M)
        variances = (
            np.square(above_m * samples.depth_stds)
            + np.square(samples.depths_m * samples.ray_stds)
            + plane.unevenness**2 * np.square(positions_m).sum(axis=1)
        )
        design = np.column_stack([_design(positions_m), np.where(samples.is_vehicle, above_m, 0.0)])
        return design, plane.heights_m(positions_m) + misses_m, variances


def _design(positions_m: FloatArray) -> FloatArray:
    return np.concatenate([np.ones((*positions_m.shape[:-1], 1)), positions_m], axis=-1)
