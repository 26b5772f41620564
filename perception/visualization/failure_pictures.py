"""Pictures of a detector's misses and false positives: the object with its surroundings, truth and detections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.geometry.boxes import clip_boxes
from perception.taxonomy import CLASSES
from perception.types import BoxTable
from perception.visualization.primitives.colours import DARK, MUTED, PANEL, WHITE, Colour
from perception.visualization.primitives.labels import Label, LabelLayer, draw_words, text_width_px
from perception.visualization.primitives.overlay import FixedPoints, Overlay, dashes, rounded_rectangles
from perception.visualization.primitives.resizing import letterboxed, resized

TRUTH_COLOUR: Colour = (70, 235, 140)
DETECTION_COLOUR: Colour = (255, 150, 40)

PICTURE_WIDTH_PX = 960
_SMALL_QUALITY = 80
_MAX_CROP_HEIGHT_PX = 960
_CROP_SHAPE = 4 / 3
"""Width over height."""

_CONTEXT = 3.0
"""The crop is so many times as wide or high as the object."""

_MIN_CROP_WIDTH_PX = 200.0
_SCENE_CONTEXT, _SCENE_SHARE = 5.0, 0.4
"""A scene shows more: so many times the object, and at least this share of the image's width."""

_WEAK_ALPHA = 0.5
_CROWD = 24

_TILE_SIZE_PX = (480, 360)
_TILE_STRIP_PX = 34
_SHEET_GAP_PX = 10
_SHEET_HEAD_PX = 56


@dataclass(frozen=True, kw_only=True)
class FailureView:
    """A failure in its ``image``, uint8 RGB (H, W, 3).

    ``subject`` is one row: the missed object (``is_miss``) or the false positive. ``truth`` and ``detections`` are the
    other boxes of that image to be drawn, in its pixels; detections below ``score_threshold`` are drawn faintly.
    """

    image: NDArray[np.uint8]
    subject: BoxTable
    is_miss: bool
    truth: BoxTable
    detections: BoxTable
    score_threshold: float


def draw_failure(view: FailureView, caption: Sequence[str]) -> NDArray[np.uint8]:
    """The object with its surroundings, a legend and the lines of ``caption`` below; RGB, 960 pixels wide."""
    crop = _draw_crop(view, (PICTURE_WIDTH_PX, _MAX_CROP_HEIGHT_PX), labels_all=True)
    crop = letterboxed(crop, (PICTURE_WIDTH_PX, crop.shape[0]))
    text_px, line_px = 14.0, 30
    strip = _panel((PICTURE_WIDTH_PX, line_px * len(caption) + 14))
    for number, line in enumerate(caption):
        baseline = 14 + number * line_px + text_px
        draw_words(strip, line, (16, baseline), text_px=text_px, colour=MUTED if number else WHITE)
    _draw_legend(strip, right_px=PICTURE_WIDTH_PX - 16, middle_px=14 + text_px / 2, text_px=text_px)
    return np.concatenate([crop, strip])


def draw_scene(
    image: NDArray[np.uint8], *, truth: BoxTable, detections: BoxTable, box_xyxy_px: Sequence[float] | None = None
) -> NDArray[np.uint8]:
    """The ``image``, RGB (H, W, 3), 960 pixels wide, with its true boxes and its detections.

    ``box_xyxy_px`` (4,) is the one that it is about: then the picture shows it with wide surroundings.
    """
    height, width = image.shape[:2]
    left, top, right, bottom = 0, 0, width, height
    if box_xyxy_px is not None:
        subject = np.array(box_xyxy_px, np.float64)
        least_px = _SCENE_SHARE * width
        left, top, right, bottom = _window(subject, (width, height), context=_SCENE_CONTEXT, min_width_px=least_px)
    zoom = PICTURE_WIDTH_PX / (right - left)
    crop = np.ascontiguousarray(image[top:bottom, left:right])
    canvas = resized(crop, (PICTURE_WIDTH_PX, max(1, round((bottom - top) * zoom))))
    offset = np.array([left, top, left, top], np.float64)
    overlay = Overlay((canvas.shape[1], canvas.shape[0]))
    # Pages show it small.
    width_px = 2 if len(truth) + len(detections) > _CROWD else 3
    for table, colour, is_dashed in ((truth, TRUTH_COLOUR, False), (detections, DETECTION_COLOUR, True)):
        boxes = (table.boxes_xyxy_px.astype(np.float64) - offset) * zoom
        _draw_boxes(overlay, boxes, colour, is_dashed=is_dashed, width_px=width_px)
    if box_xyxy_px is not None:
        _draw_corners(overlay, (subject - offset) * zoom)
    overlay.blend_into(canvas)
    return canvas


def draw_tile(view: FailureView, caption: str) -> NDArray[np.uint8]:
    """A small picture of the failure for a contact sheet."""
    width = _TILE_SIZE_PX[0]
    crop = letterboxed(_draw_crop(view, _TILE_SIZE_PX, labels_all=False), _TILE_SIZE_PX)
    strip = _panel((width, _TILE_STRIP_PX))
    draw_words(strip, _fitting(caption, width - 20, 11.0), (10, _TILE_STRIP_PX / 2 + 5), text_px=11.0, colour=WHITE)
    return np.concatenate([crop, strip])


def draw_sheet(tiles: Sequence[NDArray[np.uint8]], title: str) -> NDArray[np.uint8]:
    """The tiles of ``draw_tile`` in rows below ``title`` and the legend. Raises ``ValueError`` without a tile."""
    if not tiles:
        raise ValueError("draw_sheet: expected at least one tile, got none")
    # One row up to three, then about as wide as a screen.
    columns = {4: 2, 5: 3, 6: 3, 9: 3}.get(len(tiles), min(4, len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    height, width = tiles[0].shape[:2]
    # A single tile alone would leave no room for the title.
    sheet_width = max(2, columns) * (width + _SHEET_GAP_PX) + _SHEET_GAP_PX
    sheet = np.empty((_SHEET_HEAD_PX + rows * (height + _SHEET_GAP_PX), sheet_width, 3), np.uint8)
    sheet[:] = DARK
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        top, left = _SHEET_HEAD_PX + row * (height + _SHEET_GAP_PX), _SHEET_GAP_PX + column * (width + _SHEET_GAP_PX)
        sheet[top : top + height, left : left + width] = tile
    middle_px = _SHEET_HEAD_PX / 2
    end = _draw_legend(sheet, right_px=sheet_width - 16, middle_px=middle_px, text_px=14.0)
    draw_words(sheet, _fitting(title, end - 40, 16.0), (16, middle_px + 8), text_px=16.0, colour=WHITE)
    return sheet


def jpeg_bytes(picture: NDArray[np.uint8], *, quality: int = 90) -> bytes:
    """The content of a JPEG file of ``picture``, RGB (H, W, 3)."""
    _, content = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(content)


def smaller_jpeg(content: bytes, width_px: int) -> bytes:
    """A JPEG file's ``content`` reduced to ``width_px``, for a page that holds many of them; never enlarged."""
    bgr = np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    picture = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
    zoom = min(1.0, width_px / picture.shape[1])
    size_px = (max(1, round(picture.shape[1] * zoom)), max(1, round(picture.shape[0] * zoom)))
    return jpeg_bytes(resized(picture, size_px), quality=_SMALL_QUALITY)


def _draw_crop(view: FailureView, limits_px: tuple[int, int], *, labels_all: bool) -> NDArray[np.uint8]:
    """The surroundings of the object, as large as they fit into ``limits_px`` (width, height), with all boxes."""
    height, width = view.image.shape[:2]
    left, top, right, bottom = _window(view.subject.boxes_xyxy_px[0], (width, height))
    zoom = min(limits_px[0] / (right - left), limits_px[1] / (bottom - top))
    canvas = resized(
        np.ascontiguousarray(view.image[top:bottom, left:right]),
        (max(1, round((right - left) * zoom)), max(1, round((bottom - top) * zoom))),
    )

    def on_canvas(table: BoxTable) -> FloatArray:
        boxes: FloatArray = (table.boxes_xyxy_px - np.array([left, top, left, top])) * zoom
        return boxes

    subject = on_canvas(view.subject)
    size_px = (canvas.shape[1], canvas.shape[0])
    overlay, labels = Overlay(size_px), LabelLayer(size_px)
    is_weak = view.detections.scores < view.score_threshold
    # In a crowd thick lines and many names would hide what they are about.
    count = sum(int(_in_sight(on_canvas(table), size_px).sum()) for table in (view.truth, view.detections))
    is_crowd = count > _CROWD
    width_px = 1 if is_crowd else 2
    _draw_boxes(overlay, on_canvas(view.truth), TRUTH_COLOUR, is_dashed=False, width_px=width_px)
    for is_drawn, alpha in ((is_weak, _WEAK_ALPHA), (~is_weak, 1.0)):
        boxes = on_canvas(view.detections[is_drawn])
        _draw_boxes(overlay, boxes, DETECTION_COLOUR, is_dashed=True, width_px=width_px, alpha=alpha)
    colour = TRUTH_COLOUR if view.is_miss else DETECTION_COLOUR
    _draw_boxes(overlay, subject, colour, is_dashed=not view.is_miss, width_px=4)
    _draw_corners(overlay, subject[0])
    _place_names(labels, view.subject, subject, colour, has_score=not view.is_miss)
    if labels_all and not is_crowd:
        _place_names(labels, view.detections, on_canvas(view.detections), DETECTION_COLOUR, has_score=True)
        _place_names(labels, view.truth, on_canvas(view.truth), TRUTH_COLOUR, has_score=False)
    labels.draw_chips(overlay)
    overlay.blend_into(canvas)
    labels.draw_text(canvas)
    return canvas


def _window(
    box_xyxy_px: FloatArray,
    image_size_px: tuple[int, int],
    *,
    context: float = _CONTEXT,
    min_width_px: float = _MIN_CROP_WIDTH_PX,
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the crop around a box (4,), within the image, ``context`` times as large."""
    limits = np.array(image_size_px, np.float64)
    low, high = np.split(clip_boxes(box_xyxy_px, image_size_px), 2)
    wide, tall = context * (high - low)
    width = max(float(wide), float(tall) * _CROP_SHAPE, min_width_px)
    size = np.minimum([width, width / _CROP_SHAPE], limits)
    start = np.clip((low + high - size) / 2, 0, limits - size)
    left, top = np.floor(start).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(start + size), limits).astype(int).tolist()
    return left, top, right, bottom


def _draw_boxes(
    overlay: Overlay, boxes: FloatArray, colour: Colour, *, is_dashed: bool, width_px: int, alpha: float = 1.0
) -> None:
    """Boxes (N, 4) on a dark seam, so that they stand out on any ground."""
    outlines = rounded_rectangles(boxes, np.full(len(boxes), 3.0))
    for outline in outlines:
        closed = np.concatenate([outline, outline[:1]])
        strokes: list[FixedPoints] = [overlay.fixed(closed)]
        if is_dashed:
            strokes = list(overlay.fixed(dashes(outline, 5.0 * width_px)))
        overlay.strokes(strokes, DARK, (0.55 if width_px > 1 else 0.2) * alpha, width_px=width_px + 2)
        overlay.strokes(strokes, colour, alpha, width_px=width_px)


def _draw_corners(overlay: Overlay, box: FloatArray) -> None:
    """White brackets a little outside of a box (4,): this is the one that it is about."""
    margin = 10.0
    low, high = box[:2] - margin, box[2:] + margin
    arm = max(8.0, 0.18 * float((high - low).min()))
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    corners = np.where(signs > 0, low, high)
    along_x, along_y = corners + signs * [arm, 0], corners + signs * [0, arm]
    brackets = list(overlay.fixed(np.stack([along_x, corners, along_y], axis=1)))
    overlay.strokes(brackets, DARK, 0.55, width_px=6)
    overlay.strokes(brackets, WHITE, 1.0, width_px=3)


def _place_names(labels: LabelLayer, table: BoxTable, boxes: FloatArray, colour: Colour, *, has_score: bool) -> None:
    """Class, and score where there is one, at each box (N, 4) for which there is room."""
    for row in np.flatnonzero(_in_sight(boxes, labels.size_px)).tolist():
        score = f" {table.scores[row]:.2f}" if has_score else ""
        labels.place(Label(f"{CLASSES[table.labels[row]]}{score}", boxes[row], colour, 10.0))


def _in_sight(boxes: FloatArray, size_px: tuple[int, int]) -> NDArray[np.bool_]:
    """(N,) which boxes (N, 4) lie at least in part on a canvas of that width and height."""
    is_seen = (boxes[:, 2:] > 0) & (boxes[:, :2] < np.array(size_px))
    return np.asarray(is_seen.all(axis=1), bool)


def _draw_legend(image: NDArray[np.uint8], *, right_px: float, middle_px: float, text_px: float) -> float:
    """Show what the two kinds of boxes are, ending at ``right_px``; returns where it begins."""
    end = right_px
    overlay = Overlay((image.shape[1], image.shape[0]))
    for text, colour, is_dashed in (("detection", DETECTION_COLOUR, True), ("truth", TRUTH_COLOUR, False)):
        end -= text_width_px(text, text_px)
        draw_words(image, text, (end, middle_px + text_px / 2), text_px=text_px, colour=colour)
        box = np.array([[end - 38, middle_px - 9, end - 10, middle_px + 9]])
        _draw_boxes(overlay, box, colour, is_dashed=is_dashed, width_px=2)
        end -= 38 + 24
    overlay.blend_into(image)
    return end


def _panel(size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """An empty strip (height, width, 3) for text."""
    strip = np.empty((size_px[1], size_px[0], 3), np.uint8)
    strip[:] = PANEL
    return strip


def _fitting(text: str, width_px: float, text_px: float) -> str:
    """``text``, cut with dots where it is wider than ``width_px``."""
    if text_width_px(text, text_px) <= width_px:
        return text
    while text and text_width_px(f"{text}...", text_px) > width_px:
        text = text[:-1]
    return f"{text}..."
