"""Soft pictures on the scene: shadows under road users, pools of light, the glow of lamps."""

from __future__ import annotations

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.rotation import rotation_about_z
from perception.simulation.rendering.conditions import Conditions
from perception.simulation.rendering.culling.selection import InstanceTable
from perception.simulation.rendering.shapes.materials import Slot, lamp_bit, palette
from perception.simulation.rendering.shapes.models import ModelLibrary
from perception.simulation.rendering.town.ground import SurfaceMap

SPRITE = np.dtype(
    [("middle", "f4", 3), ("kind", "f4"), ("first", "f4", 3), ("size", "f4"), ("second", "f4", 4), ("tint", "f4", 4)]
)
"""``kind`` 0 a shadow on the ground, 1 a pool of light on it (both span ``first`` and ``second`` (metres)), 2 a glow
of ``size`` that shines towards ``first``, 3 its streak on the wet road. ``tint`` is added to the picture, its fourth
part taken away from it."""

_NEAR_M = 90.0
_SHADOW_HEIGHT_M = 0.065


def sprites(
    instances: InstanceTable,
    library: ModelLibrary,
    conditions: Conditions,
    town_from_vehicle: FloatArray,
    plan: SurfaceMap,
) -> np.ndarray:
    """(S,) of ``SPRITE`` near the car; ``plan`` states where the road can mirror."""
    distances_m = np.linalg.norm(instances.rows["position"][:, :2] - town_from_vehicle[:2, 3], axis=1)
    near = np.flatnonzero(distances_m < _NEAR_M)
    rows, models = instances.rows[near], instances.models[near]
    is_user = near < instances.user_count
    parts = [_shadows(rows[is_user], models[is_user], library)]
    if conditions.lamps > 0.3:
        parts.append(_lamp_pools(rows[models == library.names.index("lamp")], conditions))
        parts.append(_head_pools(rows[is_user], conditions, town_from_vehicle))
    glows = [_glows(rows[models == model], library, int(model), conditions) for model in np.unique(models)]
    parts += glows
    if conditions.wetness > 0.3:
        parts += [_streaks(part, conditions, town_from_vehicle, plan) for part in glows]
    return np.concatenate(parts)


def _table(count: int) -> np.ndarray:
    return np.zeros(count, SPRITE)


def _axes(rows: np.ndarray) -> tuple[FloatArray, FloatArray]:
    """Unit vectors (N, 3) forward and to the left."""
    axes = rotation_about_z(rows["yaw"])
    return axes[:, :, 0], axes[:, :, 1]


def _shadows(rows: np.ndarray, models: np.ndarray, library: ModelLibrary) -> np.ndarray:
    """What a body hides of the sky from the road below it."""
    sizes = np.stack([model.size_m for model in library.models.values()])[models] * rows["scale"]
    forward, left = _axes(rows)
    found = _table(len(rows))
    found["middle"] = rows["position"] + np.array([0, 0, _SHADOW_HEIGHT_M])
    found["first"] = forward * (0.5 * sizes[:, :1] + 0.22)
    found["second"][:, :3] = left * (0.5 * sizes[:, 1:2] + 0.25)
    is_small = sizes[:, 0] < 1.0
    found["first"][is_small], found["second"][is_small, :3] = forward[is_small] * 0.42, left[is_small] * 0.42
    found["tint"][:, 3] = np.where(is_small, 0.36, 0.66)
    return found


def _lamp_pools(rows: np.ndarray, conditions: Conditions) -> np.ndarray:
    forward, left = _axes(rows)
    found = _table(len(rows))
    found["middle"] = rows["position"] + forward * 1.6 + np.array([0, 0, 0.02])
    found["kind"] = 1
    found["first"], found["second"][:, :3] = forward * 7.5, left * 9.5
    found["tint"][:, :3] = np.array([0.34, 0.23, 0.10]) * _darkness(conditions)
    return found


def _darkness(conditions: Conditions) -> float:
    """0 by day, 1 at night: how much a lamp's light shows on the ground."""
    return float(np.clip(1.15 - 1.6 * np.mean(conditions.sky_light), 0.0, 1.0)) * conditions.lamps


def _head_pools(rows: np.ndarray, conditions: Conditions, town_from_vehicle: FloatArray) -> np.ndarray:
    """Light of head lamps on the road, the recording car's own among them."""
    lit = rows[(rows["flags"].astype(int) & lamp_bit(Slot.HEAD)) != 0]
    forward, left = _axes(lit)
    reach = 0.5 * 4.4 * lit["scale"][:, :1]
    found = _table(len(lit) + 1)
    found["kind"] = 1
    found["middle"][:-1] = lit["position"] + forward * (reach + 5.0)
    found["first"][:-1], found["second"][:-1, :3] = forward * 6.0, left * 2.6
    own = town_from_vehicle[:3, :3].T
    found["middle"][-1] = town_from_vehicle[:3, 3] + own[0] * 14.0
    found["first"][-1], found["second"][-1, :3] = own[0] * 11.0, own[1] * 4.5
    found["middle"][:, 2] = 0.012
    found["tint"][:, :3] = np.array([0.20, 0.19, 0.16]) * _darkness(conditions)
    return found


def _glows(rows: np.ndarray, library: ModelLibrary, model: int, conditions: Conditions) -> np.ndarray:
    """Halos of the lamps that are lit."""
    flags = rows["flags"].astype(int)
    forward, left = _axes(rows)
    colours = palette()
    dark = 0.35 + 0.65 * _darkness(conditions)
    parts = []
    for slot, position in library.models[library.names[model]].lamps:
        lit = (flags & lamp_bit(Slot(slot))) != 0
        tail = (slot == Slot.BRAKE) & ((flags & lamp_bit(Slot.HEAD)) != 0) & ~lit
        chosen = np.flatnonzero(lit | tail)
        if not len(chosen):
            continue
        at = position * rows["scale"][chosen]
        found = _table(len(chosen))
        found["kind"] = 2
        found["middle"] = rows["position"][chosen] + forward[chosen] * at[:, :1] + left[chosen] * at[:, 1:2]
        found["middle"][:, 2] += at[:, 2]
        direction = 1.0 if slot in (Slot.HEAD, Slot.STOP, Slot.WAIT, Slot.GO) or position[0] > 0 else -1.0
        found["first"] = 0.0 if slot == Slot.STREET else forward[chosen] * direction
        strength = np.where(tail[chosen], 0.35, 0.85)
        small = min(1.0, 0.3 + 0.35 * library.models[library.names[model]].size_m[1])
        found["size"] = {Slot.HEAD: 0.75, Slot.STREET: 1.1}.get(Slot(slot), 0.60) * small
        found["tint"][:, :3] = np.sqrt(colours[slot, :3]) * (strength * dark)[:, None]
        parts.append(found)
    return np.concatenate(parts) if parts else _table(0)


def _streaks(glows: np.ndarray, conditions: Conditions, town_from_vehicle: FloatArray, plan: SurfaceMap) -> np.ndarray:
    """The glows mirrored in the wet road, where there is road or pavement between lamp and car."""
    found = glows.copy()
    found["kind"] = 3
    found["first"][:, 2] = glows["middle"][:, 2]
    found["middle"][:, 2] = _SHADOW_HEIGHT_M
    found["size"] = 0.14 + 0.20 * glows["size"]
    found["tint"] *= 0.34 * conditions.wetness
    toward = town_from_vehicle[:2, 3] - glows["middle"][:, :2]
    height = glows["middle"][:, 2:]
    mirrored = plan.at(glows["middle"][:, :2] + toward * height / (height + 1.5))
    streaks: np.ndarray = found[(mirrored == 1) | (mirrored == 2)]
    return streaks
