"""The annotated picture of an instant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.errors import counted
from perception.geometry.cameras import Rig
from perception.types import Frame, Scene
from perception.visualization.image_view.annotation import AnnotationStyle, annotate
from perception.visualization.primitives.colours import DARK, MUTED, PANEL
from perception.visualization.primitives.labels import draw_name, draw_status_line
from perception.visualization.primitives.resizing import resized
from perception.visualization.primitives.track_history import TrackHistory
from perception.visualization.rig_view import draw_rig

_TILE_GAP_PX = 4
_RIG_SIZE_PX = (1280, 720)
_EPOCH_STAMPS_NS = 10**17
"""Time stamps beyond this (three years) are clock times of a live source, smaller ones positions in a recording."""


def draw_scene(
    scene: Scene,
    *,
    history: TrackHistory | None = None,
    cameras: Sequence[str] | None = None,
    rig: Rig | None = None,
    style: AnnotationStyle | None = None,
    status_line: bool = True,
    speed: bool = True,
    rate_fps: float | None = None,
    remark: str = "",
    min_width_px: int = 960,
    max_grid_width_px: int = 1920,
    rig_size_px: tuple[int, int] = _RIG_SIZE_PX,
) -> NDArray[np.uint8]:
    """Draw boxes, pasts and futures over the images of an instant; uint8 RGB (H, W, 3), always a new array.

    One camera is drawn at the size of its image, enlarged to ``min_width_px`` when it is narrower. Several are tiled
    in a grid no wider than ``max_grid_width_px``. ``cameras`` fixes the order of the tiles and keeps a dark tile for
    a camera that is missing at this instant; without it the frames present are shown. ``history`` (already updated
    with this scene) gives the past. The status line shows the number of objects, the camera, the time and the
    ``remark``; with ``speed`` also ``rate_fps`` (without it: what the stages' time allows) and the milliseconds of all
    stages.

    With ``rig`` the picture has ``rig_size_px`` (width, height): the cameras stand in their places around the car,
    the futures lie on the road, and a bird's-eye view shows the ground frame. Only a scene whose tracks are in the
    image frame is drawn as without a rig.

    Raises ``ValueError`` when there is nothing to show, a camera is not in the rig, or forecasts are in another frame
    than the tracks.
    """
    frames = {frame.camera: frame for frame in scene.frame_set}
    names = tuple(frames) if cameras is None else tuple(cameras)
    if not names or not frames:
        raise ValueError("draw_scene: expected at least one camera with a frame, got none")
    style = style or AnnotationStyle()
    is_rig = rig is not None and (scene.tracks.reference_frame == "ground" or not len(scene.tracks))
    if rig is not None and is_rig:
        return draw_rig(
            scene,
            rig,
            names,
            history=history,
            style=style,
            size_px=rig_size_px,
            status=_status(scene, names, history, rate_fps, remark, speed=speed) if status_line else None,
        )
    if len(names) == 1 and names[0] in frames:
        picture = _draw_frame(frames[names[0]], scene, history, style, _single_size(frames[names[0]], min_width_px))
    else:
        picture = _draw_grid(frames, names, scene, history, style, (min_width_px, max_grid_width_px))
    if status_line:
        height, width = picture.shape[:2]
        # The line need not grow as fast as the picture to be read.
        left, right = _status(scene, names, history, rate_fps, remark, speed=speed)
        draw_status_line(picture, left, right, unit=max(1.0, math.sqrt(width * height / (960 * 540)) ** 0.6))
    return picture


def _single_size(frame: Frame, min_width_px: int) -> tuple[int, int]:
    """(width, height) of the picture of a single camera; even numbers where it is enlarged."""
    width, height = frame.size_px
    if width >= min_width_px:
        return width, height
    return min_width_px, 2 * round(height * min_width_px / width / 2)


def _draw_frame(
    frame: Frame, scene: Scene, history: TrackHistory | None, style: AnnotationStyle, size_px: tuple[int, int]
) -> NDArray[np.uint8]:
    canvas = resized(frame.image, size_px)
    tracks = scene.tracks[scene.tracks.cameras == frame.camera]
    annotate(
        canvas,
        tracks,
        scene.forecasts,
        camera=frame.camera,
        image_size_px=frame.size_px,
        history=history,
        style=style,
    )
    return canvas


def _draw_grid(
    frames: dict[str, Frame],
    names: Sequence[str],
    scene: Scene,
    history: TrackHistory | None,
    style: AnnotationStyle,
    width_limits_px: tuple[int, int],
) -> NDArray[np.uint8]:
    """Tiles of one size, in rows; each image is as large as fits into its tile."""
    columns = grid_columns(len(names))
    rows = math.ceil(len(names) / columns)
    native_px = columns * max(frame.size_px[0] for frame in frames.values()) + (columns - 1) * _TILE_GAP_PX
    width = min(max(native_px, width_limits_px[0]), max(width_limits_px))
    tile_w = (width - (columns - 1) * _TILE_GAP_PX) // columns
    # The shape of the tiles must not depend on which cameras happen to deliver: the widest usual image, 16:9.
    tile_h = round(tile_w * 9 / 16)
    picture = np.empty((rows * (tile_h + _TILE_GAP_PX) - _TILE_GAP_PX, width, 3), np.uint8)
    picture[:] = DARK
    unit = max(0.75, math.sqrt(tile_w * tile_h / (960 * 540)))
    for position, name in enumerate(names):
        row, column = divmod(position, columns)
        top, left = row * (tile_h + _TILE_GAP_PX), column * (tile_w + _TILE_GAP_PX)
        tile = picture[top : top + tile_h, left : left + tile_w]
        tile[:] = PANEL
        if name in frames:
            scale = min(tile_w / frames[name].size_px[0], tile_h / frames[name].size_px[1])
            size = (round(frames[name].size_px[0] * scale), round(frames[name].size_px[1] * scale))
            drawn = _draw_frame(frames[name], scene, history, style, size)
            y, x = (tile_h - size[1]) // 2, (tile_w - size[0]) // 2
            tile[y : y + size[1], x : x + size[0]] = drawn
        else:
            cv2.line(tile, (tile_w // 2 - 12, tile_h // 2), (tile_w // 2 + 12, tile_h // 2), MUTED, 2, cv2.LINE_AA)
        draw_name(tile, name if name in frames else f"{name}: no picture", unit=unit)
    return picture


def grid_columns(count: int) -> int:
    """Columns of the grid of ``count`` tiles: 1, 2, 2x2, 3x2, 4x2, 3x3, then about square."""
    return {2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 7: 4, 8: 4}.get(count, math.ceil(math.sqrt(count)))


def _status(
    scene: Scene,
    names: Sequence[str],
    history: TrackHistory | None,
    rate_fps: float | None,
    remark: str,
    *,
    speed: bool,
) -> tuple[list[str], list[str]]:
    """The texts of the status line at the left and, from the border inwards, at the right."""
    left = [names[0] if len(names) == 1 else counted(len(names), "camera"), _time_text(scene.timestamp_ns, history)]
    total_ms = sum(scene.stage_ms.values())
    if rate_fps is None and total_ms > 0:
        rate_fps = 1000 / total_ms
    is_ground = scene.tracks.reference_frame == "ground"
    count = len(scene.tracks) if is_ground else int(np.isin(scene.tracks.cameras, names).sum())
    right = []
    if speed and rate_fps is not None:
        right += [f"{rate_fps:.0f} fps" if rate_fps >= 10 else f"{rate_fps:.1f} fps"]
    if speed and total_ms > 0:
        right += [f"{total_ms:.0f} ms" if total_ms >= 10 else f"{total_ms:.1f} ms"]
    right += [counted(count, "object")]
    return [*left, remark] if remark else left, right


def _time_text(timestamp_ns: int, history: TrackHistory | None) -> str:
    """Clock time of a live source, position in a recording."""
    if timestamp_ns >= _EPOCH_STAMPS_NS:
        return datetime.fromtimestamp(timestamp_ns / 1e9).strftime("%H:%M:%S")
    if history is not None and history.first_timestamp_ns is not None:
        timestamp_ns -= min(timestamp_ns, history.first_timestamp_ns)
    minutes, tenths = divmod(max(0, timestamp_ns) // 10**8, 600)
    return f"{minutes:02d}:{tenths // 10:02d}.{tenths % 10}"
