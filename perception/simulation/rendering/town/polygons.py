"""Plane figures on the road: triangles of polygons, strips along lines, points at equal distances."""

from __future__ import annotations

import numpy as np

from perception.arrays import FloatArray


def triangulated(polygon_m: FloatArray) -> FloatArray:
    """(T, 3, 2) triangles, counter-clockwise, of a simple polygon (P, 2) in either sense, by cutting off its ears."""
    points = polygon_m[np.linalg.norm(polygon_m - np.roll(polygon_m, 1, axis=0), axis=1) > 1e-3]
    if len(points) < 3:
        return np.zeros((0, 3, 2))
    x, y = points.T
    if np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) < 0:
        points = points[::-1]
    left = list(range(len(points)))
    triangles = []
    while len(left) > 3:
        ear = _ear(points[left])
        triangles.append(points[[left[ear - 1], left[ear], left[(ear + 1) % len(left)]]])
        del left[ear]
    triangles.append(points[left])
    return np.stack(triangles)


def _ear(points: FloatArray) -> int:
    """The corner to cut off: convex, no other corner in its triangle; where rounding leaves none, the most convex."""
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    turn = _cross(points - before, after - points)
    corner_in = np.ones((len(points), len(points)), bool)
    for a, b in ((before, points), (points, after), (after, before)):
        corner_in &= _cross((b - a)[:, None], points[None] - a[:, None]) > 1e-9
    clear = (turn > 1e-9) & ~corner_in.any(axis=1)
    return int(np.argmax(clear)) if clear.any() else int(np.argmax(turn))


def _cross(a: FloatArray, b: FloatArray) -> FloatArray:
    crossed: FloatArray = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return crossed


def resampled(line_m: FloatArray, spacing_m: float) -> tuple[FloatArray, FloatArray]:
    """Points (S, 2) about every ``spacing_m`` along a line (P, 2), both ends among them, and their distances (S,)."""
    lengths = np.linalg.norm(np.diff(line_m, axis=0), axis=1)
    passed = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.linspace(0, passed[-1], max(2, round(passed[-1] / spacing_m) + 1))
    return np.stack([np.interp(at, passed, line_m[:, k]) for k in (0, 1)], axis=1), at


def headings(line_m: FloatArray) -> FloatArray:
    """(P, 2) unit directions along a line at its points."""
    along = np.gradient(line_m, axis=0)
    unit: FloatArray = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    return unit


def leftwards(line_m: FloatArray, distance_m: float) -> FloatArray:
    """(P, 2): a line moved to its left, at bends so that the distance to both parts stays the same."""
    along = np.diff(line_m, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    mean = np.concatenate([along[:1], (along[:-1] + along[1:]) / 2, along[-1:]])
    mean /= np.maximum((mean**2).sum(axis=1, keepdims=True), 0.25)
    moved: FloatArray = line_m + distance_m * np.stack([-mean[:, 1], mean[:, 0]], axis=1)
    return moved


def piece(line_m: FloatArray, start_m: float, end_m: float) -> FloatArray:
    """The part of a line between two distances from its start."""
    lengths = np.linalg.norm(np.diff(line_m, axis=0), axis=1)
    passed = np.concatenate([[0.0], np.cumsum(lengths)])
    inner = passed[(passed > start_m + 1e-6) & (passed < end_m - 1e-6)]
    at = np.concatenate([[start_m], inner, [end_m]])
    return np.stack([np.interp(at, passed, line_m[:, k]) for k in (0, 1)], axis=1)


def strip(left_m: FloatArray, right_m: FloatArray) -> FloatArray:
    """(T, 3, D) triangles, counter-clockwise from above, between two lines of equally many points (P, D)."""
    a, b, c, d = right_m[:-1], right_m[1:], left_m[1:], left_m[:-1]
    return np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
