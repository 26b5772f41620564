"""What traffic provides and the renderer draws: the town, which stands still, and its road users at one instant.

All in the town's own axes: metres, x east, y north, z up, the road at z = 0; angles counter-clockwise from x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray

LaneUse = Literal["drive", "cycle", "walk", "park"]
SignalColour = Literal["red", "red-yellow", "green", "yellow", "off"]

BODIES: tuple[str, ...] = (
    "sedan",
    "hatchback",
    "estate",
    "suv",
    "van",
    "pickup",
    "box-truck",
    "semi-truck",
    "bus",
    "motorcycle",
    "scooter",
    "bicycle",
    "adult",
    "child",
)
"""Shapes of road users; riders belong to their machine."""


@dataclass(frozen=True)
class Lane:
    """``centre_line_m`` (P, 2) in the direction of travel; ``is_inner_edge`` means that its left edge divides lanes of
    the same direction (a dashed line), else traffic that comes towards it or the kerb. A "park" lane is asphalt between
    kerb and driving lanes on which cars stand."""

    use: LaneUse
    centre_line_m: FloatArray
    width_m: float
    is_inner_edge: bool = False


@dataclass(frozen=True)
class TrafficLight:
    """A lamp for one approach: where it stands, which way it faces (towards the drivers), its index in ``signals``."""

    position_m: FloatArray
    facing_rad: float
    signal: int


@dataclass(frozen=True)
class Town:
    """The part of the world that does not move.

    ``junctions_m`` and ``crossings_m`` are polygons (P, 2); ``stop_lines_m`` (L, 2, 2) are segments across a lane;
    ``speed_limits`` are signs: position (2,), facing_rad, km/h. ``extent_m`` is x0, y0, x1, y1 of all roads.
    ``pavements_m`` are polygons (P, 2) of pavement at the corners of junctions, which join the walk lanes; they lie
    inside ``junctions_m``.
    """

    lanes: Sequence[Lane]
    junctions_m: Sequence[FloatArray]
    crossings_m: Sequence[FloatArray]
    stop_lines_m: FloatArray
    lights: Sequence[TrafficLight]
    speed_limits: Sequence[tuple[FloatArray, float, int]]
    extent_m: tuple[float, float, float, float]
    pavements_m: Sequence[FloatArray] = ()


@dataclass(frozen=True)
class RoadUsers:
    """All that moves, except the recording car: N rows at one instant.

    ``ids`` (N,) stay for the whole drive; ``labels`` (N,) index ``CLASSES``; ``bodies`` (N,) index ``BODIES``;
    ``appearance_seeds`` (N,) uint32 seeds for colour and clothing; ``positions_m`` (N, 3) the middle of the footprint
    on the road; ``yaws_rad`` (N,); ``sizes_lwh_m`` (N, 3) riders included; ``speeds_mps`` (N,); ``is_braking`` (N,);
    ``indicators`` (N,) 1 left, -1 right, 0 off, 2 both; ``travelled_m`` (N,) for turning wheels and walking legs.
    """

    ids: IntArray
    labels: IntArray
    bodies: IntArray
    appearance_seeds: NDArray[np.uint32]
    positions_m: FloatArray
    yaws_rad: FloatArray
    sizes_lwh_m: FloatArray
    speeds_mps: FloatArray
    is_braking: NDArray[np.bool_]
    indicators: IntArray
    travelled_m: FloatArray

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class WorldState:
    """The town's moving part at ``time_s`` from the start; ``town_from_vehicle`` (4, 4) is the recording car's pose
    (vehicle axes, origin on the road under its rear axle), ``signals`` the colour of each traffic light."""

    time_s: float
    road_users: RoadUsers
    town_from_vehicle: FloatArray
    vehicle_speed_mps: float
    signals: Sequence[SignalColour]


@dataclass(frozen=True)
class CameraView:
    """What the renderer returns for one camera at one instant: ``image`` (H, W, 3) uint8 RGB, distorted by its lens,
    and M road users of which at least a part lies in front of the camera and inside the image of a pinhole in its
    place.

    ``ids`` (M,); ``full_xyxy_px`` (M, 4) the silhouettes' boxes as if nothing stood before them, cut at the image's
    border; ``visible_xyxy_px`` (M, 4) and ``visible_pixels`` (M,) of what the id buffer shows, zero when hidden;
    ``visible_shares`` (M,) visible pixels over those of the whole silhouette in an unbounded image. ``mask`` (H, W)
    uint16, where it was asked for: at each pixel 1 + the id of the road user that shows there, 0 where none does.
    """

    image: NDArray[np.uint8]
    ids: IntArray
    full_xyxy_px: FloatArray
    visible_xyxy_px: FloatArray
    visible_pixels: IntArray
    visible_shares: FloatArray
    mask: NDArray[np.uint16] | None = None
