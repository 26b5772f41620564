"""What each camera and the sun draw at an instant: tables of instances and of commands for the graphics card."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from perception.arrays import FloatArray
from perception.simulation.rendering.culling.occlusion import Skyline
from perception.simulation.rendering.culling.viewing import PinholeView, commands, in_picture
from perception.simulation.rendering.shapes.models import ModelLibrary

_LEVELS_PX = np.array([44.0, 18.0, 9.0])
_PLANT_LEVEL_FACTOR = 0.35
_SMALLEST_USER_PX, _SMALLEST_STILL_PX = 4.0, 5.0
_STILL_REACH_M = 260.0
_SHADOW_REACH_M = 160.0
_SHADOW_LEVEL = 2

Range = tuple[int, int]
"""First command and how many."""


@dataclass(frozen=True)
class InstanceTable:
    """All instances of an instant: ``rows`` (N,) of ``INSTANCE``, ``models`` (N,) indices into the library's names;
    the first ``user_count`` are road users, the others stand still."""

    rows: np.ndarray
    models: np.ndarray
    user_count: int


@dataclass(frozen=True)
class VisibleSet:
    """What a camera may show: ``ranges`` of "solid", "plant" and "user" commands; the road users in the picture
    ``users`` (M,), the mesh of each ``meshes`` (M,), and which of them ``is_drawn`` (M,), as no house hides them."""

    ranges: dict[str, Range]
    users: np.ndarray
    meshes: np.ndarray
    is_drawn: np.ndarray


@dataclass
class DrawTables:
    """Grows by what is to be drawn; ``instances`` and ``commands`` are then handed over in one go."""

    _instances: list[np.ndarray] = field(default_factory=list)
    _commands: list[np.ndarray] = field(default_factory=list)
    _instance_count: int = 0
    _command_count: int = 0

    @property
    def instances(self) -> np.ndarray:
        """(I,) of ``INSTANCE``."""
        return np.concatenate(self._instances)

    @property
    def commands(self) -> np.ndarray:
        """(C, 5) indirect draw commands."""
        return np.concatenate(self._commands)

    def add_commands(self, table: np.ndarray) -> Range:
        """Append commands (C, 5) for what is on the card already."""
        first = self._command_count
        self._commands.append(table)
        self._command_count += len(table)
        return first, len(table)

    def add_instances(self, rows: np.ndarray, meshes: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Append instances (N,), each with its mesh; returns their order in the table and their commands, not yet
        appended."""
        order, table = commands(meshes, draws, self._instance_count)
        self._instances.append(rows[order])
        self._instance_count += len(rows)
        return order, table


class Selector:
    """Chooses what can be seen of the instances, and in how much detail."""

    def __init__(self, library: ModelLibrary) -> None:
        self._draws, self._mesh_is_plant, self._mesh_is_user = library.draws, library.is_plant, library.is_user
        models = list(library.models.values())
        self._meshes = np.array([model.meshes for model in models])
        self._radii_m = np.array([model.radius_m for model in models])
        self._cylinders_m = np.array([(model.spread_m, model.height_m) for model in models])

    def radii_m(self, instances: InstanceTable) -> FloatArray:
        """(N,) of spheres around each instance's origin that hold all of it."""
        radii: FloatArray = self._radii_m[instances.models] * instances.rows["scale"].max(axis=1)
        return radii

    def meshes(self, instances: InstanceTable, which: np.ndarray, sizes_px: FloatArray) -> np.ndarray:
        """The mesh of each chosen instance (M,), fine enough for its radius in pixels (M,)."""
        models = instances.models[which]
        is_plant = self._mesh_is_plant[self._meshes[models, 0]]
        level = (np.where(is_plant, _PLANT_LEVEL_FACTOR, 1.0) * sizes_px < _LEVELS_PX[:, None]).sum(axis=0)
        meshes: np.ndarray = self._meshes[models, level]
        return meshes

    def view(self, tables: DrawTables, instances: InstanceTable, view: PinholeView, skyline: Skyline) -> VisibleSet:
        """Append what a camera may show."""
        positions_m = instances.rows["position"].astype(float)
        shown, sizes_px = in_picture(view, positions_m, self.radii_m(instances))
        still = slice(instances.user_count, None)
        far_m = np.linalg.norm(positions_m[still] - view.eye_m, axis=1)
        shown &= sizes_px > _SMALLEST_USER_PX
        shown[still] &= (sizes_px[still] > _SMALLEST_STILL_PX) & (far_m < _STILL_REACH_M)
        chosen = np.flatnonzero(shown)
        meshes = self.meshes(instances, chosen, sizes_px[chosen])
        spread_m, height_m = (
            self._cylinders_m[instances.models[chosen]] * instances.rows["scale"][chosen].max(axis=1)[:, None]
        ).T
        open_ = ~skyline.hides(positions_m[chosen], spread_m, positions_m[chosen, 2] + height_m)
        _, table = tables.add_instances(instances.rows[chosen[open_]], meshes[open_], self._draws)
        drawn = np.unique(meshes[open_])
        kinds = {"plant": self._mesh_is_plant[drawn], "user": self._mesh_is_user[drawn]}
        kinds["solid"] = ~(kinds["plant"] | kinds["user"])
        ranges = {kind: tables.add_commands(table[rows]) for kind, rows in kinds.items()}
        is_user = chosen < instances.user_count
        return VisibleSet(ranges, chosen[is_user], meshes[is_user], open_[is_user])

    def shadows(self, tables: DrawTables, instances: InstanceTable, centre_m: FloatArray, *, moving: bool) -> Range:
        """Append what casts shadows around a position (2,): the road users, or what stands still."""
        part = slice(0, instances.user_count) if moving else slice(instances.user_count, None)
        distances_m = np.linalg.norm(instances.rows["position"][part, :2] - centre_m, axis=1)
        chosen = part.start + np.flatnonzero(distances_m < _SHADOW_REACH_M + self.radii_m(instances)[part])
        meshes = self._meshes[instances.models[chosen], _SHADOW_LEVEL]
        _, table = tables.add_instances(instances.rows[chosen], meshes, self._draws)
        return tables.add_commands(table)

    def silhouettes(self, tables: DrawTables, rows: np.ndarray, meshes: np.ndarray) -> tuple[Range, np.ndarray]:
        """Append road users (M,) with the meshes they were drawn with; also returns their order in the table."""
        order, table = tables.add_instances(rows, meshes, self._draws)
        return tables.add_commands(table), order
