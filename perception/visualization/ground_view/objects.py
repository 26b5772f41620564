"""Pasts and futures lying on the road, drawn alike into a camera's image and into the view from above."""

from __future__ import annotations

import itertools

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.rotation import rotate
from perception.visualization.ground_view.ground_scene import GroundFutures, GroundScene, has_moved
from perception.visualization.ground_view.projection import BoolArray, RoadProjection
from perception.visualization.primitives.colours import Colour
from perception.visualization.primitives.overlay import Overlay

# A band as wide as the object would hide what it drives on.
_BAND_SHARE = 0.32
_MIN_BAND_M = 0.22
_PIECE_OVERLAP = 0.35
_BAND_PIECES = 8
_SPREAD_PIECES = 4
_FAR_FADE = 0.18
_ALPHA_LEVELS = 7
_MIN_PATH_PX = 6.0


def draw_spreads(
    overlay: Overlay, projection: RoadProjection, futures: GroundFutures, colours: list[Colour], *, stds: float
) -> None:
    """Lay a translucent band around each most probable path, as wide as its spread."""
    futures = futures[futures.best]
    halves = stds * futures.spreads_m + _MIN_BAND_M
    _draw_bands(overlay, projection, futures, halves, (0.3, 0.1), colours, pieces=_SPREAD_PIECES)


def draw_paths(
    overlay: Overlay,
    projection: RoadProjection,
    ground: GroundScene,
    futures: GroundFutures,
    *,
    alpha: float,
    width_px: float,
    min_strength: float = 0.0,
) -> None:
    """Draw the most probable path of each object as a band on the road of opacity ``alpha``, the others as lines where
    they have ``min_strength``; all are fainter with time."""
    best, others = futures[futures.best], futures[~futures.best & (futures.strengths >= min_strength)]
    segments, seen = projection.segments(others.paths_m)
    alphas = others.strengths[:, None] * np.linspace(1.0, _FAR_FADE, segments.shape[1])
    _draw_lines(overlay, segments, seen, alphas, [ground.colours[row] for row in others.rows.tolist()], width_px)
    halves = np.maximum(_MIN_BAND_M, _BAND_SHARE * ground.sizes_lwh_m[best.rows, 1])
    halves = np.repeat(halves[:, None], best.paths_m.shape[1], axis=1)
    _draw_bands(overlay, projection, best, halves, (alpha, _FAR_FADE * alpha), ground.colours, pieces=_BAND_PIECES)


def draw_pasts(
    overlay: Overlay, projection: RoadProjection, ground: GroundScene, *, alpha: float, width_px: float
) -> None:
    """Draw where each object has been as a line that fades with age."""
    rows = np.flatnonzero(has_moved(ground.pasts_m))
    rows = rows[projection.may_show(ground.pasts_m[rows], overlay.size_px)]
    if not len(rows):
        return
    segments, seen = projection.segments(ground.pasts_m[rows])
    lengths = np.linalg.norm(np.diff(ground.pasts_m[rows], axis=1), axis=-1)
    alphas = np.broadcast_to(alpha * np.linspace(0.1, 1.0, segments.shape[1]), seen.shape)
    colours = [ground.colours[row] for row in rows.tolist()]
    _draw_lines(overlay, segments, seen & (lengths > 0.02), alphas, colours, width_px)


def draw_footprints(overlay: Overlay, projection: RoadProjection, ground: GroundScene, *, alpha: float) -> None:
    """Fill the ground under each object that is seen now."""
    shown = projection.may_show(ground.centres_m[:, None], overlay.size_px) & ground.tracks.is_seen
    rows = np.flatnonzero(shown)
    corners, in_front = projection.pixels(footprints(ground)[rows])
    drawn = in_front.all(axis=1) & _in_picture(corners, overlay.size_px)
    for row, corners_px in zip(rows[drawn].tolist(), overlay.fixed(corners[drawn]), strict=True):
        overlay.fill(corners_px, ground.colours[row], alpha)


def footprints(ground: GroundScene) -> FloatArray:
    """(N, 4, 2): the corners of the objects on the road: front left, front right, rear right, rear left."""
    signs = np.array([[0.5, 0.5], [0.5, -0.5], [-0.5, -0.5], [-0.5, 0.5]])
    return oriented(signs * ground.sizes_lwh_m[:, None, :2], ground)


def oriented(local_m: FloatArray, ground: GroundScene) -> FloatArray:
    """Points (N, P, 2) in each object's own axes (x ahead, y left, from its centre) in the vehicle's axes."""
    return ground.centres_m[:, None] + rotate(local_m, ground.headings_rad[:, None])


def _draw_bands(
    overlay: Overlay,
    projection: RoadProjection,
    futures: GroundFutures,
    halves_m: FloatArray,
    alphas: tuple[float, float],
    colours: list[Colour],
    *,
    pieces: int,
) -> None:
    """Fill bands of half-widths (M, P) around paths in ``pieces``, whose opacities go from now to the far end."""
    at = np.unique(np.linspace(0, futures.paths_m.shape[1] - 1, pieces + 1).round().astype(int))
    path, reach = futures.paths_m[:, at], halves_m[:, at, None] * futures.across[:, at]
    borders = _overlapping(np.stack([path + reach, path - reach]))
    quads, seen = projection.strips(borders[0], borders[1])
    quads, seen = quads[:, ::2], seen[:, ::2]
    seen &= _is_long(quads, seen)[:, None]
    strengths = futures.strengths[:, None] * np.linspace(*alphas, quads.shape[1])
    # Reversed, so that the near and brighter piece covers the joint.
    quads, seen, strengths = quads[:, ::-1], seen[:, ::-1], strengths[:, ::-1]
    seen &= _in_picture(quads, overlay.size_px)
    owners = np.repeat(futures.rows, seen.sum(axis=1)).tolist()
    for owner, quad, alpha in zip(owners, overlay.fixed(quads[seen]), strengths[seen].tolist(), strict=True):
        overlay.fill(quad, colours[owner], alpha)


def _draw_lines(
    overlay: Overlay,
    segments_px: FloatArray,
    seen: BoolArray,
    alphas: FloatArray,
    colours: list[Colour],
    width_px: float,
) -> None:
    """Draw the pieces (M, Q, 2, 2) of M lines with their own opacities (M, Q), the faint ones first."""
    seen = seen & _in_picture(segments_px, overlay.size_px) & _is_long(segments_px, seen)[:, None]
    owners, _ = np.nonzero(seen)
    palette = {colour: number for number, colour in enumerate(dict.fromkeys(colours))}
    inks = np.array([palette[colour] for colour in colours], np.int64)[owners]
    levels = np.clip(np.rint(alphas[seen] * _ALPHA_LEVELS), 1, _ALPHA_LEVELS).astype(np.int64)
    # All pieces that look alike at once: a call of OpenCV costs more than a short line.
    kinds = levels * len(palette) + inks
    order = np.argsort(kinds, kind="stable")
    fixed = overlay.fixed(segments_px[seen][order])
    starts = np.flatnonzero(np.diff(kinds[order], prepend=-1)).tolist()
    shades = list(palette)
    for start, stop in itertools.pairwise([*starts, len(fixed)]):
        level, ink = divmod(int(kinds[order[start]]), len(palette))
        overlay.strokes(list(fixed[start:stop]), shades[ink], level / _ALPHA_LEVELS, width_px=max(1, round(width_px)))


def _overlapping(borders_m: FloatArray) -> FloatArray:
    """(..., 2 * (P - 1), 2): the pieces of borders (..., P, 2), start and end, each begun a little earlier.

    Neighbouring pieces that only touch would leave a fine bright seam between their smoothed edges.
    """
    starts = borders_m[..., :-1, :].copy()
    starts[..., 1:, :] += _PIECE_OVERLAP * (borders_m[..., :-2, :] - starts[..., 1:, :])
    return np.stack([starts, borders_m[..., 1:, :]], axis=-2).reshape(*borders_m.shape[:-2], 2 * starts.shape[-2], 2)


def _in_picture(shapes_px: FloatArray, size_px: tuple[int, int]) -> BoolArray:
    """(...): which shapes (..., P, 2) may touch the picture."""
    low, high = shapes_px.min(axis=-2), shapes_px.max(axis=-2)
    return np.asarray(((high >= 0) & (low <= np.array(size_px))).all(axis=-1))


def _is_long(shapes_px: FloatArray, seen: BoolArray) -> BoolArray:
    """(M,): which paths of pieces (M, Q, P, 2) are long enough in the picture to be told from the object itself."""
    extent = np.abs(np.where(seen[..., None, None], shapes_px - shapes_px[:, :1, :1], 0.0)).max(
        axis=(1, 2, 3), initial=0
    )
    return np.asarray(extent >= _MIN_PATH_PX)
