"""The bird's-eye view: the car, the road users around it as boxes with heading, their pasts and futures."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.geometry.cameras import Camera
from perception.geometry.rotation import left_normals, rotate, unit_vectors
from perception.taxonomy import CLASSES, PEDESTRIAN_LABEL, TWO_WHEELED_LABELS
from perception.visualization.ground_view.birdseye_ground import BirdsEye, draw_ground, ring_name_boxes
from perception.visualization.ground_view.ground_scene import GroundFutures, GroundScene
from perception.visualization.ground_view.objects import draw_pasts, draw_paths, draw_spreads, oriented
from perception.visualization.image_view.annotation import AnnotationStyle
from perception.visualization.primitives.colours import DARK, MUTED, WHITE, Colour
from perception.visualization.primitives.labels import Label, LabelLayer, draw_words, text_width_px
from perception.visualization.primitives.overlay import FixedPoints, Overlay, rounded_rectangles

_MIN_SIDE_PX = 5.0
_MIN_LENGTH_PX = 9.0
_OWN_LENGTH_M, _OWN_WIDTH_M, _OWN_REAR_M = 4.7, 1.95, 0.95
_OWN: Colour = (236, 240, 246)
_GLASS: Colour = (44, 52, 66)
_LEGEND_PX = 28
_PERCENT_OBJECTS = 4
_PERCENTS = 3
_MIN_PERCENT = 0.1
_MIN_PERCENT_M = 8.0
_FAINT: Colour = (84, 94, 110)


def draw_birds_eye(
    panel: NDArray[np.uint8],
    view: BirdsEye,
    ground: GroundScene,
    cameras: Sequence[Camera],
    *,
    style: AnnotationStyle,
    unit: float,
) -> None:
    """Draw onto ``panel`` (H, W, 3) of the view's size, in place; ``cameras`` are those that have a picture now."""
    draw_ground(panel, view, cameras, position_m=ground.position_m, heading_rad=ground.heading_rad, unit=unit)
    overlay = Overlay(view.size_px)
    projection = view.projection
    futures = ground.futures if style.futures else None
    if style.past:
        _draw_own_past(overlay, view, ground)
        draw_pasts(overlay, projection, ground, alpha=0.75, width_px=1.6 * unit)
    if futures is not None:
        draw_spreads(overlay, projection, futures, ground.colours, stds=style.spread_stds)
        _draw_ends(overlay, view, futures, ground.colours, unit)
        draw_paths(overlay, projection, ground, futures, alpha=0.85, width_px=1.3 * unit)
    _draw_own_car(overlay, view)
    boxes = _draw_objects(overlay, view, ground, unit)
    labels = LabelLayer(view.size_px)
    labels.reserve(_reserved(view, unit))
    labels.reserve(boxes)
    if style.labels:
        _place_ids(labels, boxes, ground, unit)
        if futures is not None:
            _place_percents(labels, view, ground, futures, unit)
    overlay.blend_into(panel)
    labels.draw_text(panel)
    _draw_speed(panel, ground, unit)
    _draw_compass(panel, view, ground.heading_rad, unit)
    _draw_legend(panel, view, ground, unit)


def _draw_own_past(overlay: Overlay, view: BirdsEye, ground: GroundScene) -> None:
    """The car's own path as a band as wide as the car, fading with age."""
    path = np.concatenate([ground.own_past_m, np.zeros((1, 2))])
    ages = np.append(ground.own_ages, 0.0)
    at = np.unique(np.linspace(0, len(path) - 1, 9).round().astype(int))
    path, ages = path[at], ages[at]
    if len(path) < 2 or np.linalg.norm(path[0]) < 1.0:
        return
    along = np.gradient(path, axis=0)
    across = left_normals(along) / np.maximum(np.linalg.norm(along, axis=1), 1e-6)[:, None]
    half = 0.32 * _OWN_WIDTH_M
    quads, _ = view.projection.strips(path + half * across, path - half * across)
    for quad, age in zip(overlay.fixed(quads), ((ages[:-1] + ages[1:]) / 2).tolist(), strict=True):
        overlay.fill(quad, _OWN, 0.26 * max(0.0, 1 - age))


def _draw_own_car(overlay: Overlay, view: BirdsEye) -> None:
    """The recording car: white, with windows, its rear axle at the origin."""

    def shape(rear: float, front: float, half_m: float, corner_px: float) -> FixedPoints:
        low, _ = view.projection.pixels(np.array([front, half_m]))
        high, _ = view.projection.pixels(np.array([rear, -half_m]))
        outline = rounded_rectangles(np.concatenate([low, high])[None], np.array([corner_px]))
        fixed: FixedPoints = overlay.fixed(outline)[0]
        return fixed

    front, half, px = _OWN_LENGTH_M - _OWN_REAR_M, _OWN_WIDTH_M / 2, view.px_per_m
    overlay.fill(shape(-_OWN_REAR_M - 0.35, front + 0.35, half + 0.35, 0.8 * px), DARK, 0.6)
    overlay.fill(shape(-_OWN_REAR_M, front, half, 0.6 * px), _OWN, 1.0)
    overlay.fill(shape(1.75, 2.55, half - 0.22, 0.2 * px), _GLASS, 1.0)
    overlay.fill(shape(-0.6, -0.1, half - 0.28, 0.15 * px), _GLASS, 1.0)


def _draw_objects(overlay: Overlay, view: BirdsEye, ground: GroundScene, unit: float) -> FloatArray:
    """Draw the road users; returns the boxes (N, 4) that they cover, in pixels."""
    outlines, noses = _shapes(view, ground, unit)
    fixed_outlines, fixed_noses = overlay.fixed(outlines), overlay.fixed(noses)
    labels, is_seen = ground.tracks.labels.tolist(), ground.tracks.is_seen.tolist()
    edge_px = max(1, round(1.2 * unit))
    for row, colour in enumerate(ground.colours):
        if not is_seen[row]:
            overlay.fill(fixed_outlines[row], colour, 0.14)
            overlay.outline(fixed_outlines[row], colour, 0.55, width_px=1)
            continue
        overlay.fill(fixed_outlines[row], DARK, 0.9)
        overlay.fill(fixed_outlines[row], colour, 0.82)
        if labels[row] != PEDESTRIAN_LABEL:
            overlay.fill(fixed_noses[row], DARK, 0.8)
        overlay.outline(fixed_outlines[row], colour, 1.0, width_px=edge_px)
    return np.concatenate([outlines.min(axis=1), outlines.max(axis=1)], axis=1).reshape(-1, 4)


def _shapes(view: BirdsEye, ground: GroundScene, unit: float) -> tuple[FloatArray, FloatArray]:
    """Outlines (N, P, 2) in pixels, no smaller than one can see, and the dark windscreen or nose (N, 4, 2) of each."""
    sizes = ground.sizes_lwh_m[:, :2].copy()
    smallest = np.array([_MIN_LENGTH_PX, _MIN_SIDE_PX]) * unit / view.px_per_m
    is_person = ground.tracks.labels == PEDESTRIAN_LABEL
    sizes = np.maximum(sizes, np.where(is_person[:, None], 7.5 * unit / view.px_per_m, smallest))
    halves = sizes / 2
    radii = np.where(is_person, halves[:, 1], np.minimum(0.35 * halves[:, 1] + 0.15, halves[:, 1]))
    local = rounded_rectangles(np.concatenate([-halves, halves], axis=1), radii)
    slim = np.isin(ground.tracks.labels, TWO_WHEELED_LABELS)
    ahead = np.where(slim, 0.95, np.where(ground.sizes_lwh_m[:, 0] > 6, 0.9, 0.52))
    behind = np.where(slim, 0.45, np.where(ground.sizes_lwh_m[:, 0] > 6, 0.74, 0.16))
    corners = np.stack([ahead, ahead, behind, behind], axis=1) * halves[:, :1]
    sides = np.array([0.74, -0.74, -0.66, 0.66]) * halves[:, 1:]
    outlines, _ = view.projection.pixels(oriented(local, ground))
    noses, _ = view.projection.pixels(oriented(np.stack([corners, sides], axis=-1), ground))
    return outlines, noses


def _draw_ends(overlay: Overlay, view: BirdsEye, futures: GroundFutures, colours: list[Colour], unit: float) -> None:
    """The ellipse of the spread at the end of each most probable path, and a dot at the end of every path."""
    angles = np.linspace(0, 2 * np.pi, 25)[:-1]
    local = unit_vectors(angles) * np.clip(futures.stds_m, 0.3, 8.0)[:, None]
    turned = rotate(local, futures.axes_rad[:, None])
    ends = futures.paths_m[:, -1]
    ellipses, _ = view.projection.pixels(ends[:, None] + turned)
    dots, _ = view.projection.pixels(ends)
    fixed_ellipses, fixed_dots = overlay.fixed(ellipses), overlay.fixed(dots)
    for future, owner in enumerate(futures.rows.tolist()):
        colour, strength = colours[owner], float(futures.strengths[future])
        if futures.best[future]:
            overlay.fill(fixed_ellipses[future], colour, 0.16 * strength)
            overlay.outline(fixed_ellipses[future], colour, 0.45 * strength, width_px=1)
        overlay.dot(fixed_dots[future], (2.6 if futures.best[future] else 2.0) * unit, colour, 0.75 * strength)


def _reserved(view: BirdsEye, unit: float) -> FloatArray:
    """(M, 4): where the own car, the speed, the compass and the legend stand."""
    (width, height), (x, y) = view.size_px, view.origin_px
    half, px = _OWN_WIDTH_M / 2, view.px_per_m
    return np.array(
        [
            [x - half * px, y - (_OWN_LENGTH_M - _OWN_REAR_M) * px, x + half * px, y + _OWN_REAR_M * px],
            [0, 0, 130 * unit, 60 * unit],
            [width - 60 * unit, 0, width, 60 * unit],
            [0, height - _LEGEND_PX * unit, width, height],
            *ring_name_boxes(view, unit),
        ]
    )


def _place_ids(labels: LabelLayer, boxes_px: FloatArray, ground: GroundScene, unit: float) -> None:
    """The ids beside the objects, those of near ones first."""
    for row in reversed(range(len(boxes_px))):
        grown = boxes_px[row] + np.array([-1, -1, 1, 1])
        labels.place(Label(str(int(ground.tracks.ids[row])), grown, ground.colours[row], 8 * unit, bare=True))


def _place_percents(
    labels: LabelLayer, view: BirdsEye, ground: GroundScene, futures: GroundFutures, unit: float
) -> None:
    """How probable the first few futures of the nearest moving objects are, at their ends."""
    lengths_m = np.linalg.norm(futures.paths_m[:, -1] - futures.paths_m[:, 0], axis=1)
    ends, _ = view.projection.pixels(futures.paths_m[:, -1])
    owners = np.unique(futures.rows[futures.best & (lengths_m >= _MIN_PERCENT_M)])[-_PERCENT_OBJECTS:]
    order = np.lexsort((-futures.probabilities, futures.rows))
    ranks = np.empty(len(order), int)
    ranks[order] = np.arange(len(order)) - np.searchsorted(futures.rows[order], futures.rows[order])
    is_told = np.isin(futures.rows, owners) & (futures.probabilities >= _MIN_PERCENT) & (ranks < _PERCENTS)
    for row in np.flatnonzero(is_told).tolist()[::-1]:
        box = np.concatenate([ends[row] - 3 * unit, ends[row] + 3 * unit])
        text = f"{100 * float(futures.probabilities[row]):.0f}%"
        labels.place(Label(text, box, ground.colours[int(futures.rows[row])], 7 * unit, bare=True))


def _draw_speed(panel: NDArray[np.uint8], ground: GroundScene, unit: float) -> None:
    if ground.speed_mps is None:
        return
    left, base = 16 * unit, 38 * unit
    width = draw_words(panel, f"{abs(3.6 * ground.speed_mps):.0f}", (left, base), text_px=22 * unit, colour=WHITE)
    draw_words(panel, "km/h", (left + width + 6 * unit, base), text_px=9 * unit, colour=MUTED)


def _draw_compass(panel: NDArray[np.uint8], view: BirdsEye, heading_rad: float, unit: float) -> None:
    """A needle that points along the world's x axis, which is where the car looked when the recording began."""
    centre, radius = np.array([view.size_px[0] - 30 * unit, 30 * unit]), 14 * unit
    ahead = np.array([np.sin(heading_rad), -np.cos(heading_rad)])
    aside = left_normals(ahead)
    overlay = Overlay(view.size_px)
    fixed = overlay.fixed(np.stack([centre, centre - radius - 2, centre + radius + 2]))[0]
    overlay.ring(fixed, radius, MUTED, 0.5, width_px=1)
    for tip, colour, alpha in ((0.8, WHITE, 0.95), (-0.8, MUTED, 0.45)):
        needle = centre + radius * np.stack([tip * ahead, 0.24 * aside, -0.24 * aside])
        overlay.fill(overlay.fixed(needle), colour, alpha)
    overlay.blend_into(panel)


def _draw_legend(panel: NDArray[np.uint8], view: BirdsEye, ground: GroundScene, unit: float) -> None:
    """How many of each class there are, along the lower edge, which is darkened for it."""
    counts = np.bincount(ground.tracks.labels, minlength=len(CLASSES)).tolist()
    width, height = view.size_px
    strip = panel[height - round(_LEGEND_PX * unit) :]
    cv2.addWeighted(strip, 0.25, np.full_like(strip, DARK), 0.75, 0, dst=strip)
    texts = [f"{name}s" if name != "bus" else "buses" for name in CLASSES]
    text_px, margin, base = 8 * unit, 14 * unit, height - 0.36 * _LEGEND_PX * unit
    widths = [text_width_px(text, text_px) + text_width_px("00", text_px) for text in texts]
    gap = max(4 * unit, (width - 2 * margin - sum(widths)) / (len(texts) - 1))
    x = margin
    for name, text, count, taken in zip(CLASSES, texts, counts, widths, strict=True):
        text = name if count == 1 else text
        number = draw_words(panel, str(count), (x, base), text_px=text_px, colour=WHITE if count else _FAINT)
        draw_words(panel, text, (x + number + 0.5 * text_px, base), text_px=text_px, colour=MUTED if count else _FAINT)
        x += taken + gap
