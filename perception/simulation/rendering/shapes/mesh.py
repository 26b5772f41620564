"""Triangle meshes made in code: tubes, lofts, boxes with soft edges, blobs; smooth normals with a crease angle.

Vertices carry a *slot* (which material or lamp) and up to two *joints*: a vertex turns first about its second joint,
then about its first, each an angle of the instance about an axis parallel to y. Joint 0 never turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

Point = Sequence[float]


@dataclass(frozen=True)
class Joint:
    """Which of the instance's angles turns a part, and where the axis crosses the x-z plane (metres)."""

    angle: int = 0
    x_m: float = 0.0
    z_m: float = 0.0


STILL = Joint()


@dataclass(frozen=True)
class Patch:
    """Triangles of one slot and one pair of joints: ``corners_m`` (F, 3, 3) counter-clockwise from outside."""

    corners_m: np.ndarray
    slot: int
    joints: tuple[Joint, Joint] = (STILL, STILL)
    crease_deg: float = 40.0

    def moved(self, offset_m: Point) -> Patch:
        """The same triangles elsewhere."""
        return Patch(self.corners_m + np.asarray(offset_m, float), self.slot, self.joints, self.crease_deg)

    def mirrored(self, joints: tuple[Joint, Joint] | None = None) -> Patch:
        """The same on the other side of y = 0."""
        flipped = self.corners_m[:, ::-1] * np.array([1.0, -1.0, 1.0])
        return Patch(flipped, self.slot, self.joints if joints is None else joints, self.crease_deg)

    def pitched(self, angle_rad: float, about_m: Point) -> Patch:
        """Turned about an axis parallel to y; a positive angle lowers the front."""
        sin, cos = np.sin(angle_rad), np.cos(angle_rad)
        turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        centre = np.asarray(about_m, float)
        return Patch((self.corners_m - centre) @ turn.T + centre, self.slot, self.joints, self.crease_deg)


VERTEX = np.dtype(
    [("position", "f4", 3), ("normal", "f4", 3), ("axes", "f4", 4), ("slot", "u1"), ("joint", "u1", 2), ("open", "u1")]
)
"""``axes`` are x, z of the first and the second joint; ``open`` 0..255 is how much sky a vertex sees."""


@dataclass(frozen=True)
class Mesh:
    """``vertices`` (V,) of ``VERTEX`` and ``triangles`` (F, 3)."""

    vertices: np.ndarray
    triangles: np.ndarray

    @property
    def size_m(self) -> np.ndarray:
        """(3,): extents along x, y, z."""
        size: np.ndarray = np.ptp(self.vertices["position"], axis=0)
        return size


def build(patches: Sequence[Patch], *, floor_shade: float = 0.45) -> Mesh:
    """Join patches into a mesh. What lies low and what faces down sees less of the sky (``floor_shade`` at z = 0)."""
    corners = np.concatenate([patch.corners_m for patch in patches]).astype(float)
    counts = [len(patch.corners_m) for patch in patches]
    crease = np.repeat([np.cos(np.radians(patch.crease_deg)) for patch in patches], counts)
    patch_of = np.repeat(np.arange(len(patches)), counts)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1)
    keep = area > 1e-9
    corners, cross, area, crease, patch_of = (a[keep] for a in (corners, cross, area, crease, patch_of))
    normals = _smoothed(corners, cross / area[:, None], area, crease, patch_of)
    flat = np.zeros(len(corners) * 3, VERTEX)
    flat["position"] = corners.reshape(-1, 3)
    flat["normal"] = np.round(normals, 3)
    flat["slot"] = np.repeat(np.array([patch.slot for patch in patches])[patch_of], 3)
    joints = np.array([[joint.angle for joint in patch.joints] for patch in patches])
    axes = np.array([[value for joint in patch.joints for value in (joint.x_m, joint.z_m)] for patch in patches])
    flat["joint"] = np.repeat(joints[patch_of], 3, axis=0)
    flat["axes"] = np.repeat(axes[patch_of], 3, axis=0)
    height = flat["position"][:, 2] / max(0.6, float(np.ptp(flat["position"][:, 2])) * 0.5)
    sky = np.clip(floor_shade + (1 - floor_shade) * height, 0, 1) * (0.8 + 0.2 * np.clip(flat["normal"][:, 2], -1, 1))
    flat["open"] = np.round(255 * np.clip(sky, 0, 1))
    flat["position"] = np.round(flat["position"], 4)
    vertices, index = np.unique(flat, return_inverse=True)
    return Mesh(vertices, index.reshape(-1, 3).astype(np.uint32))


def simplified(patch: Patch, cell_m: float) -> Patch:
    """Fewer triangles: corners that share a cell of a grid become one, and what collapses is left out.

    A long thin body that would collapse stays as it is.
    """
    corners = patch.corners_m.reshape(-1, 3)
    points, first = np.unique(np.round(corners, 4), axis=0, return_inverse=True)
    _, cluster = np.unique(np.floor(points / cell_m + 0.37), axis=0, return_inverse=True)
    cluster = cluster.ravel()
    counts = np.bincount(cluster)
    means = np.stack([np.bincount(cluster, points[:, k]) / counts for k in range(3)], axis=1)
    which = cluster[first.ravel()].reshape(-1, 3)
    kept = (which[:, 0] != which[:, 1]) & (which[:, 1] != which[:, 2]) & (which[:, 2] != which[:, 0])
    joined = means[which[kept]]
    if _area(joined) < 0.4 * _area(patch.corners_m):
        is_long = np.ptp(corners, axis=0).max() > 2.5 * cell_m
        joined = patch.corners_m if is_long else joined[:0]
    return Patch(joined, patch.slot, patch.joints, max(patch.crease_deg, 50.0))


def _area(corners_m: np.ndarray) -> float:
    """The area (m2) of triangles (F, 3, 3)."""
    cross = np.cross(corners_m[:, 1] - corners_m[:, 0], corners_m[:, 2] - corners_m[:, 0])
    return float(0.5 * np.linalg.norm(cross, axis=1).sum())


def _smoothed(
    corners: np.ndarray, face_normals: np.ndarray, area: np.ndarray, crease: np.ndarray, patch_of: np.ndarray
) -> np.ndarray:
    """(3F, 3): at each corner the mean normal of the faces there that bend less than the crease angle."""
    keys = np.round(corners.reshape(-1, 3), 3)
    _, point = np.unique(keys, axis=0, return_inverse=True)
    face = np.repeat(np.arange(len(corners)), 3)
    at_point = csr_matrix((np.ones(len(face)), (np.arange(len(face)), point.ravel())))
    pairs = (at_point @ at_point.T).tocoo()
    a, b = pairs.row, pairs.col
    bend = np.einsum("nk,nk->n", face_normals[face[a]], face_normals[face[b]])
    joined = (bend >= crease[face[a]]) & (patch_of[face[a]] == patch_of[face[b]]) | (face[a] == face[b])
    weights = csr_matrix((area[face[b[joined]]], (a[joined], b[joined])), shape=(len(face), len(face)))
    total = weights @ face_normals[face]
    length = np.linalg.norm(total, axis=1, keepdims=True)
    normals: np.ndarray = total / np.maximum(length, 1e-12)
    return normals


def quads(grid: np.ndarray) -> np.ndarray:
    """(F, 3, 3) triangles of a grid of points (S, R, 3), facing along (next row) x (next column)."""
    a, b, c, d = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
    first, second = np.stack([a, b, c], axis=2), np.stack([a, c, d], axis=2)
    return np.concatenate([first.reshape(-1, 3, 3), second.reshape(-1, 3, 3)])


def fan(ring: np.ndarray) -> np.ndarray:
    """(R, 3, 3) triangles that fill a closed ring (R, 3) around its middle."""
    middle = np.broadcast_to(ring.mean(axis=0), ring.shape)
    return np.stack([middle, ring, np.roll(ring, -1, axis=0)], axis=1)


def loft(rings: np.ndarray, *, caps: bool = True) -> np.ndarray:
    """Triangles of a skin over closed rings (S, R, 3), filled at both ends; ``outward`` turns them if need be."""
    closed = np.concatenate([rings, rings[:, :1]], axis=1)
    skin = quads(closed)
    if not caps:
        return skin
    return np.concatenate([skin, fan(rings[0]), fan(rings[-1])[:, ::-1]])


def outward(corners: np.ndarray) -> np.ndarray:
    """The triangles of a closed body, turned as a whole so that they face outwards."""
    volume = np.einsum("nk,nk->n", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum()
    return corners if volume > 0 else corners[:, ::-1]


def box(centre_m: Point, size_m: Point, bevel_m: float = 0.0) -> np.ndarray:
    """A box; with ``bevel_m`` its edges along all axes are cut."""
    x, y, z = (0.5 * value for value in size_m)
    bevel = min(bevel_m, 0.95 * min(x, y, z))

    def ring(at: float, inset: float) -> list[list[float]]:
        wide, high = y - inset, z - inset
        if bevel == 0:
            return [[at, wide, high], [at, -wide, high], [at, -wide, -high], [at, wide, -high]]
        b = bevel
        return [
            *([at, wide, high - b], [at, wide - b, high], [at, b - wide, high], [at, -wide, high - b]),
            *([at, -wide, b - high], [at, b - wide, -high], [at, wide - b, -high], [at, wide, b - high]),
        ]

    stations = [(-x, 0.0), (x, 0.0)] if bevel == 0 else [(-x, bevel), (bevel - x, 0.0), (x - bevel, 0.0), (x, bevel)]
    rings = np.array([ring(at, inset * 0.9) for at, inset in stations])
    body: np.ndarray = outward(loft(rings)) + np.asarray(centre_m, float)
    return body


def tube(start_m: Point, end_m: Point, radius_start_m: float, radius_end_m: float, sides: int = 8) -> np.ndarray:
    """A straight, tapered, closed tube between two points."""
    start, end = np.asarray(start_m, float), np.asarray(end_m, float)
    axis = (end - start) / np.linalg.norm(end - start)
    helper = np.array([0.0, 1.0, 0.0]) if abs(axis[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    side = np.cross(axis, helper)
    side /= np.linalg.norm(side)
    other = np.cross(axis, side)
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)[:, None]
    circle = np.cos(turn) * side + np.sin(turn) * other
    rings = np.stack([start + circle * radius_start_m, end + circle * radius_end_m])
    body: np.ndarray = outward(loft(rings) - start) + start
    return body


def blob(centre_m: Point, radii_m: Point, rings: int = 5, sides: int = 8) -> np.ndarray:
    """An ellipsoid."""
    polar = np.linspace(0.0, np.pi, rings + 1)
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    grid = np.stack(
        [
            np.sin(polar)[:, None] * np.cos(turn),
            np.sin(polar)[:, None] * np.sin(turn),
            np.broadcast_to(np.cos(polar)[:, None], (rings + 1, sides)),
        ],
        axis=-1,
    ) * np.asarray(radii_m, float)
    body: np.ndarray = outward(loft(grid, caps=False)) + np.asarray(centre_m, float)
    return body


def lathe(profile_m: Sequence[tuple[float, float]], sides: int = 10) -> np.ndarray:
    """A body of revolution about z: ``profile_m`` are radius and height from the bottom up."""
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    radius, height = np.array(profile_m).T
    rings = np.stack(
        [
            radius[:, None] * np.cos(turn),
            radius[:, None] * np.sin(turn),
            np.broadcast_to(height[:, None], (len(radius), sides)),
        ],
        axis=-1,
    )
    return outward(loft(rings, caps=True))
