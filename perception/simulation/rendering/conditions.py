"""Light, weather and the cameras' faults of a drive, named or drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from perception.errors import UsageError

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Conditions:
    """Light, weather and camera faults of a drive. Colours are linear light (R, G, B), 1 about as bright as white paper
    in the shade.

    ``sun_azimuth_rad`` counter-clockwise from the town's x axis; ``sun`` is the light of the sun (black when it does
    not shine), ``zenith``, ``horizon`` and ``glow`` (around the sun) colour the sky, ``sky_light`` and
    ``ground_light`` come from above and below. ``cloud_cover``, ``wetness``, ``rain`` and ``lamps`` (street lamps,
    head lamps, lit windows) lie in 0..1; ``fog_per_m`` is the share of light lost in each metre.

    Faults of the cameras: ``noise`` standard deviation in 0..1 of the image's range, ``blur_px``, ``vignette`` the
    share of light lost in the corners, ``exposure`` a factor, ``tint`` of the white balance.
    """

    name: str
    sun_elevation_rad: float
    sun_azimuth_rad: float
    sun: Colour
    zenith: Colour
    horizon: Colour
    glow: Colour
    sky_light: Colour
    ground_light: Colour
    cloud_cover: float = 0.35
    fog_per_m: float = 0.0012
    wetness: float = 0.0
    rain: float = 0.0
    lamps: float = 0.0
    noise: float = 0.006
    blur_px: float = 0.0
    vignette: float = 0.16
    exposure: float = 1.0
    tint: Colour = (1.0, 1.0, 1.0)

    @property
    def sun_direction(self) -> np.ndarray:
        """(3,): the unit vector from the town to the sun."""
        flat = np.cos(self.sun_elevation_rad)
        return np.array(
            [
                flat * np.cos(self.sun_azimuth_rad),
                flat * np.sin(self.sun_azimuth_rad),
                np.sin(self.sun_elevation_rad),
            ]
        )

    @staticmethod
    def names() -> tuple[str, ...]:
        """The names that ``named`` knows."""
        return tuple(conditions.name for conditions in _PRESETS)

    @staticmethod
    def named(name: str) -> Conditions:
        """The conditions of that name; raises ``UsageError`` with the known names for another one."""
        presets = {conditions.name: conditions for conditions in _PRESETS}
        if name not in presets:
            raise UsageError(f"is not known; choose one of {', '.join(presets)}.", field="look", value=name)
        return presets[name]

    @staticmethod
    def sample(seed: int) -> Conditions:
        """Conditions chosen by ``seed``: a time of day and weather, its colours, and the cameras' faults."""
        random = np.random.default_rng([seed, 0x100C])
        presets = _PRESETS
        weights = np.array([_WEIGHTS[conditions.name] for conditions in presets])
        conditions = presets[int(random.choice(len(presets), p=weights / weights.sum()))]
        warmth = random.normal(0, 0.03)
        return replace(
            conditions,
            sun_azimuth_rad=float(random.uniform(-np.pi, np.pi)),
            sun_elevation_rad=float(conditions.sun_elevation_rad * random.uniform(0.8, 1.2)),
            sun=_scaled(conditions.sun, random.uniform(0.85, 1.1)),
            sky_light=_scaled(conditions.sky_light, random.uniform(0.85, 1.15)),
            cloud_cover=float(np.clip(conditions.cloud_cover + random.normal(0, 0.15), 0, 1)),
            fog_per_m=float(conditions.fog_per_m * random.uniform(0.7, 1.5)),
            noise=float(conditions.noise * random.uniform(0.4, 2.5)),
            blur_px=float(max(0.0, random.uniform(-0.5, 0.75))),
            vignette=float(random.uniform(0.03, 0.32)),
            exposure=float(conditions.exposure * random.uniform(0.85, 1.18)),
            tint=(1.0 + warmth, 1.0, 1.0 - warmth),
        )


_WEIGHTS = {
    "clear-noon": 1.6,
    "clear-afternoon": 1.8,
    "low-sun": 1.2,
    "overcast": 1.5,
    "fog": 0.6,
    "rain": 0.9,
    "dusk": 0.9,
    "wet-dusk": 0.6,
    "night": 0.5,
}


def _scaled(colour: Colour, factor: float) -> Colour:
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


_NOON = Conditions(
    name="clear-noon",
    sun_elevation_rad=0.95,
    sun_azimuth_rad=-1.1,
    sun=(1.75, 1.62, 1.42),
    zenith=(0.10, 0.25, 0.58),
    horizon=(0.62, 0.76, 0.90),
    glow=(0.9, 0.85, 0.7),
    sky_light=(0.36, 0.44, 0.56),
    ground_light=(0.20, 0.19, 0.17),
)
_AFTERNOON = replace(
    _NOON,
    name="clear-afternoon",
    sun_elevation_rad=0.52,
    sun_azimuth_rad=-0.9,
    sun=(1.95, 1.56, 1.08),
    zenith=(0.10, 0.24, 0.56),
    horizon=(0.80, 0.78, 0.74),
    glow=(1.2, 0.85, 0.5),
    sky_light=(0.34, 0.41, 0.54),
    ground_light=(0.22, 0.19, 0.15),
    fog_per_m=0.0017,
)
_LOW = replace(
    _AFTERNOON,
    name="low-sun",
    sun_elevation_rad=0.23,
    sun=(2.0, 1.25, 0.62),
    zenith=(0.12, 0.20, 0.44),
    horizon=(0.98, 0.66, 0.42),
    glow=(2.0, 1.0, 0.4),
    sky_light=(0.31, 0.34, 0.46),
    ground_light=(0.20, 0.16, 0.13),
    fog_per_m=0.0024,
    lamps=0.15,
)
_OVERCAST = replace(
    _NOON,
    name="overcast",
    sun_elevation_rad=0.9,
    sun=(0.22, 0.22, 0.22),
    zenith=(0.46, 0.50, 0.55),
    horizon=(0.72, 0.74, 0.76),
    glow=(0.12, 0.12, 0.11),
    sky_light=(0.74, 0.77, 0.82),
    ground_light=(0.27, 0.26, 0.25),
    cloud_cover=0.95,
    fog_per_m=0.0024,
)
_FOG = replace(
    _OVERCAST,
    name="fog",
    sun=(0.10, 0.10, 0.10),
    zenith=(0.66, 0.68, 0.70),
    horizon=(0.70, 0.72, 0.74),
    fog_per_m=0.016,
    wetness=0.25,
    lamps=0.6,
)
_RAIN = replace(
    _OVERCAST,
    name="rain",
    sun=(0.06, 0.06, 0.06),
    zenith=(0.28, 0.32, 0.37),
    horizon=(0.50, 0.54, 0.58),
    sky_light=(0.56, 0.60, 0.66),
    fog_per_m=0.0045,
    wetness=1.0,
    rain=0.7,
    lamps=0.7,
    noise=0.010,
)
_DUSK = replace(
    _LOW,
    name="dusk",
    sun_elevation_rad=0.06,
    sun=(0.10, 0.05, 0.03),
    zenith=(0.045, 0.075, 0.20),
    horizon=(0.62, 0.34, 0.26),
    glow=(1.1, 0.42, 0.14),
    sky_light=(0.19, 0.20, 0.31),
    ground_light=(0.10, 0.08, 0.08),
    cloud_cover=0.5,
    fog_per_m=0.0022,
    lamps=1.0,
    exposure=1.25,
    noise=0.012,
)
_WET_DUSK = replace(
    _DUSK,
    name="wet-dusk",
    zenith=(0.06, 0.08, 0.15),
    horizon=(0.30, 0.24, 0.26),
    glow=(0.35, 0.2, 0.12),
    cloud_cover=0.9,
    wetness=1.0,
    rain=0.4,
    fog_per_m=0.004,
)
_NIGHT = replace(
    _DUSK,
    name="night",
    sun=(0.0, 0.0, 0.0),
    zenith=(0.010, 0.014, 0.032),
    horizon=(0.045, 0.045, 0.065),
    glow=(0.0, 0.0, 0.0),
    sky_light=(0.070, 0.078, 0.115),
    ground_light=(0.040, 0.036, 0.034),
    cloud_cover=0.3,
    exposure=1.5,
    noise=0.018,
)
_PRESETS = (_NOON, _AFTERNOON, _LOW, _OVERCAST, _FOG, _RAIN, _DUSK, _WET_DUSK, _NIGHT)
