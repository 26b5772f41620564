"""What is drawn over one camera's image: boxes, the past, the futures with their spread, labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.geometry.boxes import box_feet
from perception.taxonomy import CLASSES
from perception.types import Forecasts, Tracks
from perception.visualization.image_view.futures import draw_paths, draw_spreads, pieces, select_futures
from perception.visualization.primitives.colours import Colour, class_colour, track_colour
from perception.visualization.primitives.labels import Label, LabelLayer, text_height_px
from perception.visualization.primitives.overlay import Overlay, dashes, rounded_rectangles
from perception.visualization.primitives.track_history import TrackHistory

ColourBy = Literal["id", "class"]

_PAST_PIECES = 5
_MIN_TEXT_PX = 7.0
_MIN_DASH_PX = 5.0


@dataclass(frozen=True)
class AnnotationStyle:
    """What is shown, and from which size on.

    Pixels are those of a picture 960 wide and 540 high, and grow with the picture. ``min_probability`` hides
    unlikely futures, ``min_path_px`` the futures of objects that (almost) stand still, ``min_label_height_px`` the
    labels of small boxes; ``spread_stds`` is the half-width of the tube around the most probable future, in
    standard deviations. ``scores`` stand behind the names, ``colour_by`` gives the objects of a class one colour, and
    ``line_width_px`` fixes the width of the boxes' lines, in pixels of the picture that is made.
    """

    boxes: bool = True
    labels: bool = True
    past: bool = True
    futures: bool = True
    min_probability: float = 0.05
    min_path_px: float = 7.0
    min_label_height_px: float = 22.0
    spread_stds: float = 1.0
    scores: bool = False
    colour_by: ColourBy = "id"
    line_width_px: int | None = None

    def colours(self, tracks: Tracks) -> list[Colour]:
        """The colour of each track."""
        if self.colour_by == "class":
            return [class_colour(label) for label in tracks.labels.tolist()]
        return [track_colour(track_id) for track_id in tracks.ids.tolist()]

    def label_text(self, track_id: int, label: int, score: float, *, named: bool = True) -> str:
        """What stands at a box: class (where ``named``), id and, if wanted, the score."""
        words = [CLASSES[label]] * named + [str(track_id)] + [f"{score:.2f}"] * self.scores
        return " ".join(words)


def annotate(
    canvas: NDArray[np.uint8],
    tracks: Tracks,
    forecasts: Forecasts,
    *,
    camera: str,
    image_size_px: tuple[int, int],
    history: TrackHistory | None,
    style: AnnotationStyle,
) -> None:
    """Draw onto ``canvas`` (H, W, 3) in place; it shows the camera's whole image of ``image_size_px`` at any scale.

    ``tracks`` are those of this camera; ``forecasts`` may hold others too. Raises ``ValueError`` when forecasts are
    not in the image frame.
    """
    if forecasts.reference_frame != "image" and len(forecasts):
        raise ValueError(f"annotate: expected forecasts in the image frame, got {forecasts.reference_frame!r}")
    if not len(tracks):
        return
    height, width = canvas.shape[:2]
    scale = np.array([width / image_size_px[0], height / image_size_px[1]])
    unit = float(np.sqrt(width * height / (960 * 540)))
    # Far objects first, so that near ones lie on top.
    tracks = tracks[np.argsort(tracks.boxes_xyxy_px[:, 3], kind="stable")]
    boxes = tracks.boxes_xyxy_px * np.tile(scale, 2)
    colours = style.colours(tracks)
    overlay = Overlay((width, height))
    futures = None
    if style.futures:
        futures = select_futures(
            boxes,
            tracks,
            forecasts,
            size_px=(width, height),
            min_path_px=style.min_path_px * unit,
            min_probability=style.min_probability,
        )
    if futures is not None:
        draw_spreads(overlay, futures, colours, stds=style.spread_stds)
    if style.past and history is not None:
        _draw_pasts(
            overlay,
            boxes,
            tracks.ids.tolist(),
            colours,
            history=history,
            camera=camera,
            scale=scale,
            unit=unit,
        )
    if futures is not None:
        draw_paths(overlay, futures, colours, dt_s=forecasts.dt_s, unit=unit)
    if style.boxes:
        draw_boxes(overlay, boxes, tracks.lost_s, colours, unit, line_width_px=style.line_width_px)
    labels = LabelLayer((width, height))
    if style.labels:
        rows = zip(tracks.ids.tolist(), tracks.labels.tolist(), tracks.scores.tolist(), strict=True)
        texts = [style.label_text(track_id, label, score) for track_id, label, score in rows]
        place_labels(
            labels,
            boxes,
            texts,
            lost_s=tracks.lost_s,
            colours=colours,
            unit=unit,
            min_height_px=style.min_label_height_px,
        )
    labels.draw_chips(overlay)
    overlay.blend_into(canvas)
    labels.draw_text(canvas)


def _draw_pasts(
    overlay: Overlay,
    boxes: FloatArray,
    ids: list[int],
    colours: list[Colour],
    *,
    history: TrackHistory,
    camera: str,
    scale: FloatArray,
    unit: float,
) -> None:
    """The paths so far, fainter with age."""
    for track_id, colour, foot in zip(ids, colours, box_feet(boxes), strict=True):
        points, ages_s = history.path(track_id, camera)
        path = np.concatenate([points * scale, foot[None]])
        if np.abs(path - foot).max() < 3 * unit:
            continue
        alphas = 0.6 * (1 - np.append(ages_s, 0.0) / history.span_s)
        fixed = overlay.fixed(path)
        for cut in pieces(len(path), _PAST_PIECES):
            alpha = float(alphas[cut.start] + alphas[cut.stop - 1]) / 2
            overlay.strokes([fixed[cut]], colour, alpha, width_px=max(1, round(unit)))


def draw_boxes(
    overlay: Overlay,
    boxes: FloatArray,
    lost_s: FloatArray,
    colours: list[Colour],
    unit: float,
    *,
    line_width_px: int | None = None,
) -> None:
    """Draw boxes (N, 4) with round corners; dashed and fainter the longer the object is unseen."""
    shorter = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    outlines = rounded_rectangles(boxes, np.minimum(7 * unit, 0.22 * shorter))
    fixed = overlay.fixed(outlines)
    widths_px = np.maximum(1, np.rint(np.where(shorter > 40 * unit, 2.0, 1.0) * unit)).astype(int).tolist()
    if line_width_px is not None:
        widths_px = [line_width_px] * len(boxes)
    for row, (colour, width_px) in enumerate(zip(colours, widths_px, strict=True)):
        if lost_s[row] > 0:
            strokes = list(overlay.fixed(dashes(outlines[row], max(_MIN_DASH_PX, 6 * unit))))
            overlay.strokes(strokes, colour, max(0.35, 0.8 - 0.4 * float(lost_s[row])), width_px=width_px)
        else:
            overlay.outline(fixed[row], colour, 0.95, width_px=width_px)


def place_labels(
    labels: LabelLayer,
    boxes: FloatArray,
    texts: list[str],
    *,
    lost_s: FloatArray,
    colours: list[Colour],
    unit: float,
    min_height_px: float,
) -> None:
    """Give the labels of tall enough boxes (N, 4) a place, the last ones first; small boxes get smaller ones."""
    heights_px = boxes[:, 3] - boxes[:, 1]
    tall = heights_px >= max(min_height_px * unit, 2 * _MIN_TEXT_PX)
    texts_px = text_height_px(unit) * np.clip(0.75 + heights_px / (280 * unit), 0.8, 1.05)
    for row in np.flatnonzero(tall)[::-1].tolist():
        text_px = max(_MIN_TEXT_PX, float(texts_px[row]))
        labels.place(Label(texts[row], boxes[row], colours[row], text_px, bool(lost_s[row] > 0)))
