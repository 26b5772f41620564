"""Road users and scenery as rows of a table: position, colours, lit lamps, how limbs and wheels are turned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perception.arrays import FloatArray
from perception.simulation.rendering.conditions import Conditions
from perception.simulation.rendering.shapes.materials import LEAFY_BIT, PAINTED_BIT, Slot, lamp_bit
from perception.simulation.rendering.shapes.models import PLANTS, ModelLibrary, empty_instances, speed_sign_name
from perception.simulation.rendering.shapes.palettes import (
    BUSES,
    CARGO,
    HAIRS,
    HELMETS,
    LEAVES,
    PAINTS,
    SKINS,
    TOPS,
    TROUSERS,
)
from perception.simulation.rendering.shapes.people import BRACKET, CRANK_M, SADDLE_HIP, SHIN_M, THIGH_M
from perception.simulation.rendering.town.ground import PAVEMENT_HEIGHT_M
from perception.simulation.rendering.town.scenery import Scenery
from perception.simulation.world import BODIES, RoadUsers, SignalColour, Town, WorldState

BLINKS_PER_S = 1.5
_BODY_MODELS = np.arange(len(BODIES))
_STRETCHED = np.array([body not in ("motorcycle", "scooter", "bicycle", "adult", "child") for body in BODIES])
_PEDALS = BODIES.index("bicycle")
_WALKERS = (BODIES.index("adult"), BODIES.index("child"))
_WHEEL_RADII_M = np.array([0.33, 0.31, 0.33, 0.37, 0.35, 0.40, 0.45, 0.50, 0.48, 0.31, 0.24, 0.335, 1.0, 1.0])
_GEAR = 2.6


def hashed(appearance_seeds: np.ndarray, what: int) -> FloatArray:
    """(N,) numbers in 0..1 that depend on each seed and on ``what`` they are for."""
    x = (appearance_seeds.astype(np.uint64) * 2654435761 + np.uint64(what) * 40503 + 12345) & 0xFFFFFFFF
    for shift in (16, 13, 16):
        x = ((x ^ (x >> np.uint64(shift))) * np.uint64(0x45D9F3B)) & 0xFFFFFFFF
    share: FloatArray = x.astype(np.float64) / 2**32
    return share


def _picked(colours: FloatArray, appearance_seeds: np.ndarray, what: int) -> FloatArray:
    """(N, 3) one of the colours for each seed, a little lighter or darker."""
    rows = (hashed(appearance_seeds, what) * len(colours)).astype(int)
    shade = 0.9 + 0.2 * hashed(appearance_seeds, what + 100)[:, None]
    picked: FloatArray = np.clip(colours[rows] * shade, 0, 1)
    return picked


def road_user_rows(state: WorldState, library: ModelLibrary, conditions: Conditions) -> tuple[np.ndarray, np.ndarray]:
    """``INSTANCE`` rows (N,) of the road users, and the model (N,) of each, an index into ``library.names``."""
    users = state.road_users
    rows = empty_instances(len(users))
    rows["position"], rows["yaw"] = users.positions_m, users.yaws_rad
    sizes = np.stack([library.models[body].size_m for body in BODIES])[users.bodies]
    ratio = users.sizes_lwh_m / sizes
    rows["scale"] = np.where(_STRETCHED[users.bodies][:, None], ratio, ratio[:, 2:])
    rows["flags"] = _flags(users, state.time_s, conditions)
    rows["angles"] = _angles(users)
    rows["colours"] = _colours(users)
    rows["code"] = np.arange(len(users)) + 1
    return rows, _BODY_MODELS[users.bodies]


def _flags(users: RoadUsers, time_s: float, conditions: Conditions) -> np.ndarray:
    blink = (time_s * BLINKS_PER_S + hashed(users.appearance_seeds, 50)) % 1.0 < 0.55
    has_head = (conditions.lamps > 0.3) & (
        (users.speeds_mps > 0.05) | users.is_braking | (hashed(users.appearance_seeds, 51) < 0.1)
    )
    flags = users.is_braking * lamp_bit(Slot.BRAKE)
    flags = flags + (np.isin(users.indicators, (1, 2)) & blink) * lamp_bit(Slot.LEFT)
    flags = flags + (np.isin(users.indicators, (-1, 2)) & blink) * lamp_bit(Slot.RIGHT)
    flags = flags + has_head * lamp_bit(Slot.HEAD)
    return np.asarray(flags + np.where(np.isin(users.bodies, _WALKERS), 0, PAINTED_BIT))


def _angles(users: RoadUsers) -> FloatArray:
    """(N, 8) in the order of ``Angle``: thighs and shins of both sides, arms, crank, wheel."""
    angles = np.zeros((len(users), 8))
    angles[:, 7] = (users.travelled_m / _WHEEL_RADII_M[users.bodies]) % (2 * np.pi)
    walks = np.isin(users.bodies, _WALKERS)
    stride_m = 0.82 * users.sizes_lwh_m[:, 2]
    phase = 2 * np.pi * users.travelled_m / np.maximum(stride_m, 0.3) + 2 * np.pi * hashed(users.appearance_seeds, 60)
    swing = np.clip(users.speeds_mps / 1.1, 0.0, 1.25)
    for side, turn in ((0, 0.0), (1, np.pi)):
        thigh, knee, arm = walking(phase + turn, swing)
        angles[walks, 2 * side], angles[walks, 2 * side + 1] = thigh[walks], knee[walks]
        angles[walks, 4 + side] = arm[walks]
    rides = users.bodies == _PEDALS
    crank = (users.travelled_m / (_WHEEL_RADII_M[_PEDALS] * _GEAR)) % (2 * np.pi)
    for side, turn in ((0, 0.0), (1, np.pi)):
        thigh, shin = pedalling(crank + turn)
        angles[rides, 2 * side], angles[rides, 2 * side + 1] = thigh[rides], shin[rides]
    angles[rides, 6] = crank[rides]
    return angles


def walking(phase_rad: FloatArray, swing: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Angles (N,) of thigh, knee and the arm of that side; positive turns a hanging limb backwards."""
    thigh = -0.46 * swing * np.sin(phase_rad)
    knee = swing * (0.12 + 0.55 * np.clip(np.cos(phase_rad - 0.35), 0, 1) ** 2)
    arm = 0.42 * swing * np.sin(phase_rad) - 0.04
    return thigh, knee, arm


def pedalling(crank_rad: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Angles (N,) of thigh and knee that put the foot on the pedal."""
    foot_x = BRACKET[0] + CRANK_M * np.cos(crank_rad) - SADDLE_HIP[0]
    foot_z = BRACKET[1] - CRANK_M * np.sin(crank_rad) + 0.05 - SADDLE_HIP[1]
    reach = np.clip(np.hypot(foot_x, foot_z), 0.1, THIGH_M + SHIN_M - 1e-3)
    inner = np.arccos(np.clip((THIGH_M**2 + reach**2 - SHIN_M**2) / (2 * THIGH_M * reach), -1, 1))
    thigh = np.arctan2(-foot_x, -foot_z) - inner
    rest_x, rest_z = foot_x + THIGH_M * np.sin(thigh), foot_z + THIGH_M * np.cos(thigh)
    return thigh, np.arctan2(-rest_x, -rest_z) - thigh


def _colours(users: RoadUsers) -> np.ndarray:
    """(N, 4, 4) uint8: the four colours of each road user."""
    appearance_seeds, bodies = users.appearance_seeds, users.bodies
    table = np.zeros((len(users), 4, 4))
    table[:, 0, :3] = _picked(PAINTS, appearance_seeds, 1)
    table[:, 1, :3] = _picked(CARGO, appearance_seeds, 2)
    bus = bodies == BODIES.index("bus")
    table[bus, 0, :3], table[bus, 1, :3] = (
        _picked(BUSES, appearance_seeds, 3)[bus],
        _picked(BUSES, appearance_seeds, 4)[bus],
    )
    on_machine = np.isin(bodies, [BODIES.index("motorcycle"), BODIES.index("scooter")])
    table[on_machine, 1, :3] = _picked(TOPS, appearance_seeds, 5)[on_machine]
    table[on_machine, 2, :3] = _picked(TROUSERS, appearance_seeds, 6)[on_machine]
    table[on_machine, 3, :3] = _picked(HELMETS, appearance_seeds, 7)[on_machine]
    human = np.isin(bodies, [*_WALKERS, _PEDALS])
    for column, (colours, what) in enumerate(((TOPS, 8), (TROUSERS, 9), (SKINS, 10), (HAIRS, 11))):
        table[human, column, :3] = _picked(colours, appearance_seeds, what)[human]
    cyclist = bodies == _PEDALS
    table[cyclist, 3, :3] = _picked(HELMETS, appearance_seeds, 12)[cyclist]
    return np.round(255 * table).astype(np.uint8)


@dataclass(frozen=True)
class StaticRows:
    """Scenery and street furniture: ``rows`` (S,) of ``INSTANCE``, ``models`` (S,), and which rows are traffic lights,
    with the signal that each shows."""

    rows: np.ndarray
    models: np.ndarray
    light_rows: np.ndarray
    light_signals: np.ndarray


def static_rows(town: Town, scenery: Scenery, library: ModelLibrary, conditions: Conditions) -> StaticRows:
    """Rows for all that stands in the town, the lights still dark."""
    names = library.names
    entries: list[tuple[str, FloatArray, float, float, int]] = [
        (prop.model, prop.position_m, prop.yaw_rad, prop.scale, prop.seed) for prop in scenery.props
    ]
    entries += [(speed_sign_name(limit), at, facing, 1.0, 0) for at, facing, limit in town.speed_limits]
    first_light = len(entries)
    entries += [("traffic-light", light.position_m, light.facing_rad, 1.0, 0) for light in town.lights]
    rows = empty_instances(len(entries))
    for row, (model, at, yaw, scale, seed) in zip(rows, entries, strict=True):
        row["position"] = at[0], at[1], 0.0 if model in PLANTS else PAVEMENT_HEIGHT_M
        row["yaw"], row["scale"] = yaw, scale
        if model in LEAVES:
            tint = 0.85 + 0.3 * hashed(np.array([seed]), 1)[0]
            warm = 1.0 + 0.22 * (hashed(np.array([seed]), 2)[0] - 0.4)
            row["colours"][:2, :3] = np.clip(255 * np.array(LEAVES[model]) * tint * [warm, 1.0, 1.0], 0, 255)
            row["flags"] = LEAFY_BIT
        elif model == "bin":
            row["colours"][0, :3] = (60, 95, 70) if seed % 2 else (200, 110, 40)
        elif model == "lamp" and conditions.lamps > 0.3:
            row["flags"] = lamp_bit(Slot.STREET)
    models = np.array([names.index(entry[0]) for entry in entries], int)
    lights = np.arange(first_light, len(entries))
    return StaticRows(rows, models, lights, np.array([light.signal for light in town.lights], int))


_LIT: dict[SignalColour, int] = {
    "red": lamp_bit(Slot.STOP),
    "red-yellow": lamp_bit(Slot.STOP) | lamp_bit(Slot.WAIT),
    "yellow": lamp_bit(Slot.WAIT),
    "green": lamp_bit(Slot.GO),
    "off": 0,
}


def signal_flags(signals: Sequence[SignalColour], which: np.ndarray) -> FloatArray:
    """(L,) flags of traffic lights that show the signals ``which`` (L,)."""
    lit = np.array([_LIT[signal] for signal in signals], float)
    flags: FloatArray = lit[which] if len(which) else np.zeros(0)
    return flags
