"""Predicted paths as they are drawn: selected, in pixels, with their spread."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from perception.arrays import FloatArray, IntArray, StructOfArrays
from perception.geometry.boxes import box_feet
from perception.geometry.rotation import left_normals
from perception.state_layout import POSITION, SIZE
from perception.types import Forecasts, Tracks
from perception.visualization.primitives.colours import Colour
from perception.visualization.primitives.overlay import Overlay

_PIECES = 6


@dataclass(frozen=True, kw_only=True)
class ImageFutures(StructOfArrays):
    """M predicted paths of P = T + 1 points, from now on.

    ``rows`` (M,) of the tracks they belong to, ``paths_px`` (M, P, 2) of the foot point (bottom centre of the box),
    ``stds_px`` (M, P, 2) its standard deviations, ``strengths`` (M,) in 0..1 how clearly each shall be seen,
    ``best`` (M,) whether it is the most probable one of its track.
    """

    rows: IntArray
    paths_px: FloatArray
    stds_px: FloatArray
    strengths: FloatArray
    best: np.ndarray[tuple[int], np.dtype[np.bool_]]


def select_futures(
    boxes_xyxy_px: FloatArray,
    tracks: Tracks,
    forecasts: Forecasts,
    *,
    size_px: tuple[int, int],
    min_path_px: float,
    min_probability: float,
) -> ImageFutures | None:
    """The futures worth drawing, the faintest first; None when there are none.

    ``boxes_xyxy_px`` (N, 4) are those of ``tracks`` in the picture of ``size_px`` (width, height); forecasts are
    matched to tracks by id, and of tracks that are too young for one none is drawn.
    """
    _, rows, sources = np.intersect1d(tracks.ids, forecasts.track_ids, return_indices=True)
    if not len(rows):
        return None
    size = np.array(size_px, dtype=np.float64)
    stds = forecasts.stds[sources]
    feet = forecasts.positions[sources] * size
    feet[..., 1] += forecasts.sizes[sources][..., 1] / 2 * size[1]
    spread = stds[..., POSITION] * size
    spread[..., 1] = np.hypot(spread[..., 1], stds[..., SIZE][..., 1] / 2 * size[1])
    now = box_feet(boxes_xyxy_px[rows])
    now = np.broadcast_to(now[:, None, None], (*feet.shape[:2], 1, 2))
    paths = np.concatenate([now, feet], axis=2)
    spread = np.concatenate([np.zeros_like(now), spread], axis=2)
    reach = np.linalg.norm(feet - now, axis=-1).max(axis=2)
    probabilities = forecasts.probabilities[sources]
    best = probabilities == probabilities.max(axis=1, keepdims=True)
    strengths = np.sqrt(probabilities / probabilities.max(axis=1, keepdims=True))
    strengths = np.where(tracks.is_seen[rows, None], 1.0, 0.5) * strengths
    is_drawn = (reach >= min_path_px) & (probabilities >= min_probability) & tracks.shows_motion[rows, None]
    track, mode = np.nonzero(is_drawn)
    if not len(track):
        return None
    futures = ImageFutures(
        rows=rows[track],
        paths_px=paths[track, mode],
        stds_px=spread[track, mode],
        strengths=strengths[track, mode],
        best=best[track, mode],
    )
    return futures[np.argsort(futures.strengths, kind="stable")]


def draw_spreads(overlay: Overlay, futures: ImageFutures, colours: list[Colour], *, stds: float) -> None:
    """Lay a translucent tube around each most probable path: as wide as the spread's ellipse, seen along the path."""
    # A tube thinner than the line within would only blur the line's edge.
    futures = futures[futures.best & (stds * futures.stds_px.max(axis=(1, 2)) > 1)]
    if not len(futures):
        return
    at = np.unique(np.linspace(0, futures.paths_px.shape[1] - 1, _PIECES + 1).round().astype(int))
    paths = futures.paths_px[:, at]
    along = np.gradient(paths, axis=1)
    lengths = np.linalg.norm(along, axis=-1, keepdims=True)
    across = left_normals(along) / np.maximum(lengths, 1e-6)
    half_widths = stds * np.linalg.norm(futures.stds_px[:, at] * across, axis=-1, keepdims=True)
    left, right = paths + half_widths * across, paths - half_widths * across
    quads = overlay.fixed(np.stack([left[:, :-1], left[:, 1:], right[:, 1:], right[:, :-1]], axis=2))
    alphas = np.linspace(0.30, 0.08, quads.shape[1])
    for row, strength, tube in zip(futures.rows.tolist(), futures.strengths.tolist(), quads, strict=True):
        for step in reversed(range(len(tube))):
            overlay.fill(tube[step], colours[row], strength * float(alphas[step]))


def draw_paths(overlay: Overlay, futures: ImageFutures, colours: list[Colour], *, dt_s: float, unit: float) -> None:
    """Draw each path, fainter with time, with a dot at each full second."""
    points = futures.paths_px.shape[1]
    horizon_s = (points - 1) * dt_s
    fixed = overlay.fixed(futures.paths_px, margin_px=4 * unit)
    fine, coarse = _faded_pieces(points, _PIECES), _faded_pieces(points, _PIECES // 2)
    seconds = np.arange(1, int(horizon_s + 1e-6) + 1)
    before = np.minimum((seconds / dt_s + 1e-6).astype(int), points - 2)
    weight = (seconds / dt_s - before)[:, None]
    dots = overlay.fixed(futures.paths_px[:, before] * (1 - weight) + futures.paths_px[:, before + 1] * weight)
    dot_fades = (1 - 0.45 * seconds / horizon_s).tolist()
    for future, (row, strength) in enumerate(zip(futures.rows.tolist(), futures.strengths.tolist(), strict=True)):
        colour, is_best = colours[row], bool(futures.best[future])
        width_px = max(1, round((2.0 if is_best else 1.0) * unit))
        # From the far end, so that the brighter piece covers the joint.
        for cut, fade in reversed(fine if is_best else coarse):
            overlay.strokes([fixed[future, cut]], colour, strength * fade, width_px=width_px)
        radius_px = (2.6 if is_best else 1.7) * unit
        for dot, fade in zip(dots[future], dot_fades, strict=True):
            overlay.dot(dot, radius_px, colour, strength * fade)


def _faded_pieces(points: int, count: int) -> list[tuple[slice, float]]:
    """Pieces of a path and how clearly each is seen."""
    return [(cut, 0.95 * (1 - 0.85 * (cut.start + cut.stop - 1) / 2 / (points - 1))) for cut in pieces(points, count)]


def pieces(points: int, count: int) -> list[slice]:
    """Split a path of ``points`` into up to ``count`` runs that share their end points."""
    cuts = np.unique(np.linspace(0, points - 1, min(count, points - 1) + 1).round().astype(int)).tolist()
    return [slice(start, stop + 1) for start, stop in itertools.pairwise(cuts)]
