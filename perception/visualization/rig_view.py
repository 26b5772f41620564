"""The picture of a rig: its cameras in their places around the car, beside the bird's-eye view."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.geometry.cameras import Rig
from perception.types import Frame, Scene
from perception.visualization.ground_view.birdseye import draw_birds_eye
from perception.visualization.ground_view.birdseye_ground import BirdsEye
from perception.visualization.ground_view.ground_scene import GroundScene, ground_scene
from perception.visualization.ground_view.objects import draw_footprints, draw_pasts, draw_paths, draw_spreads
from perception.visualization.ground_view.projection import RoadProjection
from perception.visualization.image_view.annotation import AnnotationStyle, draw_boxes, place_labels
from perception.visualization.primitives.colours import DARK, MUTED, PANEL, Colour
from perception.visualization.primitives.labels import LabelLayer, draw_name, draw_status_line, name_box
from perception.visualization.primitives.overlay import Overlay
from perception.visualization.primitives.resizing import resized
from perception.visualization.primitives.track_history import TrackHistory
from perception.visualization.rig_layout import Area, RigLayout, fitted, rig_layout

_STATUS_PX = 26
_NAMED_FROM_PX = (500, 34)
_MIN_STRENGTH = 0.45


def draw_rig(
    scene: Scene,
    rig: Rig,
    names: Sequence[str],
    *,
    history: TrackHistory | None,
    style: AnnotationStyle,
    size_px: tuple[int, int],
    status: tuple[list[str], list[str]] | None,
) -> NDArray[np.uint8]:
    """The picture (H, W, 3) of ``size_px`` (width, height); ``status`` are the texts of the line at the lower edge.

    Raises ``ValueError`` for a camera that the rig does not have.
    """
    strangers = [name for name in names if name not in rig.cameras]
    if strangers:
        raise ValueError(f"draw_scene: expected cameras of the rig {list(rig.cameras)}, got {strangers}")
    unit = size_px[1] / 720
    layout = rig_layout(names, rig, size_px, status_px=round(_STATUS_PX * unit) if status is not None else 0)
    ground = ground_scene(scene, history, min_probability=style.min_probability, colours_of=style.colours)
    frames = {frame.camera: frame for frame in scene.frame_set}
    picture = _filled(size_px, DARK)
    for name in names:
        _draw_tile(
            layout.tiles[name].of(picture),
            name,
            frames.get(name),
            rig=rig,
            ground=ground,
            style=style,
            layout=layout,
        )
    above = layout.above
    panel = np.empty((above.height, above.width, 3), np.uint8)
    seeing = [rig.cameras[name] for name in names if name in frames]
    draw_birds_eye(panel, BirdsEye.of(rig, (above.width, above.height)), ground, seeing, style=style, unit=unit)
    above.of(picture)[:] = panel
    if status is not None:
        strip = picture[size_px[1] - round(_STATUS_PX * unit) :]
        draw_status_line(strip, *status, unit=unit)
    return picture


def _filled(size_px: tuple[int, int], colour: Colour) -> NDArray[np.uint8]:
    """A picture (H, W, 3) of one colour, ten times faster than by assignment."""
    picture = np.empty((size_px[1], size_px[0], 3), np.uint8)
    cv2.rectangle(picture, (0, 0), size_px, colour, -1)
    return picture


def _draw_tile(
    tile: NDArray[np.uint8],
    name: str,
    frame: Frame | None,
    *,
    rig: Rig,
    ground: GroundScene,
    style: AnnotationStyle,
    layout: RigLayout,
) -> None:
    """Fill one camera's tile (h, w, 3), a view of the picture, in place."""
    area = Area(0, 0, tile.shape[1], tile.shape[0])
    unit = max(0.62 * layout.unit, float(np.sqrt(area.width * area.height / (960 * 540))))
    if frame is None:
        tile[:] = PANEL
        x, y = area.width // 2, area.height // 2
        cv2.line(tile, (x - 12, y), (x + 12, y), MUTED, 2, cv2.LINE_AA)
    else:
        scale, offset_px = fitted(frame.size_px, area)
        canvas = _image(frame, area, scale, offset_px)
        _annotate(canvas, frame, rig=rig, ground=ground, scale=scale, offset_px=offset_px, style=style, unit=unit)
        tile[:] = canvas
    draw_name(tile, name if frame is not None else f"{name}: no picture", unit=unit)


def _image(frame: Frame, area: Area, scale: FloatArray, offset_px: FloatArray) -> NDArray[np.uint8]:
    """A new array (h, w, 3): the part of the image that the tile shows."""
    size = np.array([area.width, area.height])
    low = np.clip(np.rint(-offset_px / scale).astype(int), 0, None)
    high = np.minimum(np.rint((size - offset_px) / scale).astype(int), frame.size_px)
    shown = frame.image[low[1] : high[1], low[0] : high[0]]
    inner = np.minimum(np.rint(scale * frame.size_px).astype(int), size)
    # Halving is exact and fast; what remains is less than a factor of two.
    while shown.shape[0] >= 2 * inner[1] and shown.shape[1] >= 2 * inner[0]:
        shown = resized(shown, (shown.shape[1] // 2, shown.shape[0] // 2))
    picture = np.asarray(cv2.resize(shown, (int(inner[0]), int(inner[1])), interpolation=cv2.INTER_LINEAR), np.uint8)
    if (inner == size).all():
        return picture
    canvas = _filled((area.width, area.height), PANEL)
    left, top = np.maximum(np.rint(offset_px).astype(int), 0)
    canvas[top : top + inner[1], left : left + inner[0]] = picture
    return canvas


def _annotate(
    canvas: NDArray[np.uint8],
    frame: Frame,
    *,
    rig: Rig,
    ground: GroundScene,
    scale: FloatArray,
    offset_px: FloatArray,
    style: AnnotationStyle,
    unit: float,
) -> None:
    """Draw what lies on the road, then the boxes and labels, onto one camera's image in place."""
    camera = rig.cameras[frame.camera]
    # The calibration may be for another size of the same image.
    calibrated = scale * np.array(frame.size_px) / np.array(camera.size_px)
    projection = RoadProjection.of_camera(camera, rig.road_height_m, calibrated, offset_px)
    overlay = Overlay((canvas.shape[1], canvas.shape[0]))
    futures = ground.futures if style.futures else None
    if futures is not None:
        futures = futures[projection.may_show(futures.paths_m, overlay.size_px)]
    draw_footprints(overlay, projection, ground, alpha=0.22)
    if futures:
        draw_spreads(overlay, projection, futures, ground.colours, stds=style.spread_stds)
    if style.past:
        draw_pasts(overlay, projection, ground, alpha=0.6, width_px=unit)
    if futures:
        # The unlikely ones are for the view from above: here they would lie over one another.
        draw_paths(overlay, projection, ground, futures, alpha=0.6, width_px=unit, min_strength=_MIN_STRENGTH)
    rows, boxes = _boxes(frame.camera, ground)
    boxes = boxes * np.tile(scale, 2) + np.tile(offset_px, 2)
    colours = [ground.colours[row] for row in rows.tolist()]
    lost_s = ground.tracks.lost_s[rows]
    if style.boxes:
        draw_boxes(overlay, boxes, lost_s, colours, unit, line_width_px=style.line_width_px)
    labels = LabelLayer((canvas.shape[1], canvas.shape[0]))
    labels.reserve(name_box(frame.camera, unit=unit)[None])
    if style.labels:
        shown = ground.tracks[rows]
        names = zip(shown.ids.tolist(), shown.labels.tolist(), shown.scores.tolist(), strict=True)
        # Small objects in small pictures carry their id alone: names would cover their neighbours.
        is_large = (boxes[:, 3] - boxes[:, 1] >= _NAMED_FROM_PX[1]) & (canvas.shape[1] >= _NAMED_FROM_PX[0])
        texts = [
            style.label_text(track_id, label, score, named=named)
            for (track_id, label, score), named in zip(names, is_large.tolist(), strict=True)
        ]
        place_labels(
            labels,
            boxes,
            texts,
            lost_s=lost_s,
            colours=colours,
            unit=unit,
            min_height_px=style.min_label_height_px,
        )
    labels.draw_chips(overlay)
    overlay.blend_into(canvas)
    labels.draw_text(canvas)


def _boxes(camera: str, ground: GroundScene) -> tuple[IntArray, FloatArray]:
    """Rows (B,) of the objects that this camera sees or should see, far ones first, and their boxes (B, 4)."""
    tracks, sightings = ground.tracks, ground.tracks.sightings
    here = np.flatnonzero((tracks.cameras == camera) & (~tracks.is_seen | (sightings is None)))
    if sightings is None or not len(tracks):
        return here, tracks.boxes_xyxy_px[here]
    seen = sightings[(sightings.cameras == camera) & np.isin(sightings.track_ids, tracks.ids)]
    order = np.argsort(tracks.ids)
    rows = np.concatenate([here, order[np.searchsorted(tracks.ids[order], seen.track_ids)]])
    boxes = np.concatenate([tracks.boxes_xyxy_px[here], seen.boxes_xyxy_px])
    far_first = np.argsort(rows, kind="stable")
    return rows[far_first], boxes[far_first]
