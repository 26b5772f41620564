"""All models of a town in one table of vertices: what the renderer draws many times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from perception.simulation.rendering.shapes import cars, lorries, people, props
from perception.simulation.rendering.shapes.materials import LAMPS, Slot
from perception.simulation.rendering.shapes.mesh import Mesh, Patch, build, simplified
from perception.simulation.world import BODIES

PLANTS = (*props.TREES, "hedge")
FURNITURE = ("lamp", "traffic-light", "bench", "bin", "cabinet")

_VEHICLES = (*cars.SHAPES, "box-truck", "semi-truck", "bus")
_WITH_LIMBS = ("adult", "child", "bicycle", "motorcycle", "scooter")
_SMALL_PARTS = (Slot.RIM, Slot.PLATE, Slot.BLACK, Slot.TRIM, Slot.METAL)
_CELLS = ((0.024, 0.16), (0.075, 0.42), (0.13, 0.75))
"""Cells that a model's corners are joined in: share of the model's size, and at most so many metres."""
_OUTLINE_TOLERANCE_M = 0.004


@dataclass(frozen=True)
class ModelOutline:
    """The corners of a mesh's parts, enough for the box around its silhouette: ``vertices`` (H,) of ``VERTEX`` and
    ``edges`` (E, 2) between them."""

    vertices: np.ndarray
    edges: np.ndarray


@dataclass(frozen=True)
class Model:
    """A thing in several degrees of detail, ``meshes`` from fine to far, each an index into ``ModelLibrary.draws``.

    ``size_m`` (3,) is its size before an instance's scale. All of it, however its limbs move, lies within ``radius_m``
    of its origin, and in a cylinder of ``spread_m`` and ``height_m``. ``lamps`` are (slot, position) of their middles.
    """

    meshes: tuple[int, ...]
    size_m: np.ndarray
    radius_m: float
    spread_m: float
    height_m: float
    outline: ModelOutline
    lamps: tuple[tuple[int, np.ndarray], ...]


@dataclass(frozen=True)
class ModelLibrary:
    """``vertices`` (V,) and ``indices`` (I,) of all meshes; ``draws`` (D, 3): index count, first index, first vertex;
    ``models`` by name, in the order of ``names``; ``is_plant`` (D,) and ``is_user`` (D,) mark plants and road users."""

    vertices: np.ndarray
    indices: np.ndarray
    draws: np.ndarray
    is_plant: np.ndarray
    is_user: np.ndarray
    models: dict[str, Model]

    @property
    def names(self) -> tuple[str, ...]:
        """The models' names; instances name a model by its index here."""
        return tuple(self.models)


def speed_sign_name(limit_kmh: int) -> str:
    """The model of a speed limit's sign."""
    return f"limit-{limit_kmh}"


def model_library(limits_kmh: set[int]) -> ModelLibrary:
    """Make every road user's body, plants and street furniture, and a sign for each of the speed limits."""
    makers: dict[str, Callable[[bool], list[Patch]]] = {name: _maker(name) for name in (*BODIES, *PLANTS, *FURNITURE)}
    for limit in sorted(limits_kmh):
        makers[speed_sign_name(limit)] = lambda _, limit=limit: props.speed_sign(limit)  # type: ignore[misc]
    vertices, indices, draws, is_plant, is_user, models = [], [], [], [], [], {}
    first_index = first_vertex = 0
    for name, make in makers.items():
        patches = make(True)
        levels = _levels(patches, make(False), name)
        for mesh in levels:
            draws.append((mesh.triangles.size, first_index, first_vertex))
            is_plant.append(name in PLANTS)
            is_user.append(name in BODIES)
            vertices.append(mesh.vertices)
            indices.append(mesh.triangles.ravel())
            first_index, first_vertex = first_index + mesh.triangles.size, first_vertex + len(mesh.vertices)
        models[name] = _model(name, levels[0], _lamps(patches), tuple(range(len(draws) - len(levels), len(draws))))
    kinds = np.array(is_plant), np.array(is_user)
    return ModelLibrary(np.concatenate(vertices), np.concatenate(indices), np.array(draws), *kinds, models)


def _levels(fine: list[Patch], plain: list[Patch], name: str) -> list[Mesh]:
    """A model's meshes, each with about half of the triangles of the one before or fewer."""
    floor_shade = 0.75 if name in ("adult", "child") else 0.45
    corners = np.concatenate([patch.corners_m.reshape(-1, 3) for patch in fine])
    size_m = float(np.linalg.norm(np.ptp(corners, axis=0)))
    cells_m = [min(share * size_m, most_m) for share, most_m in _CELLS]
    if name in PLANTS:
        cells_m[1:] = 0.11 * size_m, 0.14 * size_m
    meshes = [build(fine, floor_shade=floor_shade)]
    for level, cell_m in enumerate(cells_m):
        kept = [patch for patch in plain if level == 0 or name not in _VEHICLES or patch.slot not in _SMALL_PARTS]
        patches = [simplified(patch, cell_m) for patch in kept]
        meshes.append(build([patch for patch in patches if len(patch.corners_m)], floor_shade=floor_shade))
    return meshes


def _maker(name: str) -> Callable[[bool], list[Patch]]:
    if name in cars.SHAPES:
        return lambda detail: cars.car(cars.SHAPES[name], detail=detail)
    if name in props.TREES:
        return lambda detail: props.tree(name, detail=detail)
    makers: dict[str, Callable[[bool], list[Patch]]] = {
        "box-truck": lambda detail: lorries.box_truck(detail=detail),
        "semi-truck": lambda detail: lorries.semi_truck(detail=detail),
        "bus": lambda detail: lorries.bus(detail=detail),
        "motorcycle": lambda detail: people.motorcycle(detail=detail),
        "scooter": lambda detail: people.motorcycle(scooter=True, detail=detail),
        "bicycle": lambda detail: people.bicycle(detail=detail),
        "adult": lambda detail: people.walker(detail=detail),
        "child": lambda detail: people.walker(child=True, detail=detail),
        "hedge": lambda detail: props.hedge(detail=detail),
        "lamp": lambda detail: props.street_lamp(detail=detail),
        "traffic-light": lambda detail: props.traffic_light(detail=detail),
        "bench": lambda _: props.bench(),
        "bin": lambda _: props.bin_(),
        "cabinet": lambda _: props.parcel_box(),
    }
    return makers[name]


def _model(name: str, mesh: Mesh, lamps: tuple[tuple[int, np.ndarray], ...], meshes: tuple[int, ...]) -> Model:
    size_m = mesh.size_m.copy()
    if name in cars.SHAPES:
        # A car's width is given without its mirrors.
        size_m[1] = cars.SHAPES[name].width
    if name in ("bus", "box-truck", "semi-truck"):
        size_m[1] = 2.55
    positions_m = mesh.vertices["position"]
    radius = float(np.linalg.norm(positions_m, axis=1).max())
    spread, height = float(np.linalg.norm(positions_m[:, :2], axis=1).max()), float(positions_m[:, 2].max())
    if name in _WITH_LIMBS:
        spread = height = radius
    return Model(meshes, size_m, radius, spread, height, _outline(mesh), lamps)


def _outline(mesh: Mesh) -> ModelOutline:
    """The convex hull of each part that moves by itself."""
    parts = np.unique(mesh.vertices[["joint", "axes"]], return_inverse=True)[1]
    rows: list[np.ndarray] = []
    edges: list[np.ndarray] = []
    count = 0
    for part in range(int(parts.max()) + 1):
        members = np.flatnonzero(parts == part)
        hull = _hull(mesh.vertices["position"][members])
        kept = np.unique(hull.simplices)
        sides = np.searchsorted(kept, hull.simplices)
        rows.append(members[kept])
        edges.append(np.concatenate([sides[:, [0, 1]], sides[:, [1, 2]], sides[:, [2, 0]]]) + count)
        count += len(kept)
    return ModelOutline(mesh.vertices[np.concatenate(rows)], np.unique(np.sort(np.concatenate(edges), axis=1), axis=0))


def _hull(points_m: np.ndarray) -> ConvexHull:
    """The hull without corners that stand out by little; flat parts are shaken a little to have one."""
    try:
        return ConvexHull(points_m, qhull_options=f"C{_OUTLINE_TOLERANCE_M}")
    except QhullError:
        return ConvexHull(points_m, qhull_options="QJ")


def _lamps(patches: list[Patch]) -> tuple[tuple[int, np.ndarray], ...]:
    """The middle of each lamp."""
    boxes = [(patch.slot, patch.corners_m.reshape(-1, 3)) for patch in patches if patch.slot in LAMPS]
    return tuple((int(slot), 0.5 * (corners.min(axis=0) + corners.max(axis=0))) for slot, corners in boxes)


def empty_instances(count: int) -> np.ndarray:
    """(count,) of ``INSTANCE``, all zero but for the scale."""
    rows = np.zeros(count, INSTANCE)
    rows["scale"] = 1.0
    return rows


INSTANCE = np.dtype(
    [
        ("position", "f4", 3), ("yaw", "f4"), ("scale", "f4", 3), ("flags", "f4"), ("angles", "f4", 8),
        ("colours", "u1", (4, 4)), ("code", "u4"),
    ]
)  # fmt: skip
"""One thing in the town; ``code`` is what the id buffer shows of it: 0, or 1 + the row of a road user."""

VERTEX_LAYOUT = ("3f 3f 4f 4f1", ("position", "normal", "axes", "kind"))
INSTANCE_LAYOUT = (
    "4f 4f 4f 4f 4f1 4f1 4f1 4f1 1u/i",
    ("position_yaw", "scale_flags", "angles_a", "angles_b", "colour_a", "colour_b", "colour_c", "colour_d", "code"),
)
