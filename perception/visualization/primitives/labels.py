"""Small text on a picture: labels of tracks that keep clear of one another, names, the status line."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.visualization.primitives.colours import DARK, MUTED, WHITE, Colour, text_colour
from perception.visualization.primitives.overlay import Overlay, rounded_rectangles

# Both fonts exist in OpenCV 4 (stroked) and 5 (drawn with a real typeface).
_LABEL_FONT = cv2.FONT_HERSHEY_DUPLEX
_LINE_FONT = cv2.FONT_HERSHEY_SIMPLEX


def text_height_px(unit: float) -> float:
    """Height of a capital letter that is readable at a picture of relative size ``unit`` (1 at 960 x 540)."""
    return max(8.0, 9.0 * unit)


def _padding_px(text_px: float) -> int:
    return max(2, round(0.4 * text_px))


def _font_scale(text_px: float) -> float:
    return text_px / 23.0


def _text_width_px(text: str, font: int, text_px: float) -> int:
    return int(cv2.getTextSize(text, font, _font_scale(text_px), 1)[0][0])


def _put_text(
    image: NDArray[np.uint8], text: str, at_px: tuple[int, int], font: int, text_px: float, colour: Colour
) -> None:
    cv2.putText(image, text, at_px, font, _font_scale(text_px), colour, max(1, round(text_px / 14)), cv2.LINE_AA)


@dataclass(frozen=True)
class Label:
    """A track's text, the box it belongs to (4,) in canvas pixels, the colour of both, the height of a capital.

    ``bare`` is text in that colour on what lies below, and not on a chip of that colour; it stands beside the box.
    """

    text: str
    box_xyxy_px: FloatArray
    colour: Colour
    text_px: float
    dimmed: bool = False
    bare: bool = False


class LabelLayer:
    """Finds a free place for each label; one that finds none is left out, the box still shows its colour."""

    def __init__(self, size_px: tuple[int, int]) -> None:
        self.size_px = size_px
        self._placed: list[tuple[Label, FloatArray]] = []
        self._taken: FloatArray = np.zeros((0, 4))

    def place(self, label: Label) -> bool:
        """Reserve a place above, else below, else inside the box; False when all are taken. Important ones first.

        A bare label is tried at the right, the left, above and below.
        """
        width, height = self.size_px
        padding = _padding_px(label.text_px)
        chip_w = _text_width_px(label.text, _LABEL_FONT, label.text_px) + 2 * padding
        chip_h = round(label.text_px) + 2 * padding
        x0, y0, x1, y1 = label.box_xyxy_px.tolist()
        left = round(min(max(x0 - 0.5, 0), max(0, width - chip_w)))
        places = [(left, round(y0) - chip_h - 1), (left, round(y1) + 2), (left, round(y0) + 2)]
        if label.bare:
            middle_x, middle_y = round((x0 + x1 - chip_w) / 2), round((y0 + y1 - chip_h) / 2)
            places = [(round(x1), middle_y), (round(x0) - chip_w, middle_y)]
            places += [(middle_x, round(y0) - chip_h), (middle_x, round(y1))]
        for left, top in places:
            chip = np.array([left, top, left + chip_w, top + chip_h], dtype=np.float64)
            is_inside = left >= 0 and left + chip_w <= max(width, chip_w) and top >= 0 and top + chip_h <= height
            if is_inside and not self._is_taken(chip):
                self._placed.append((label, chip))
                self.reserve(chip[None])
                return True
        return False

    def reserve(self, boxes_xyxy_px: FloatArray) -> None:
        """Keep labels off ``boxes_xyxy_px`` (M, 4)."""
        self._taken = np.concatenate([self._taken, boxes_xyxy_px])

    def _is_taken(self, chip: FloatArray) -> bool:
        overlap = np.minimum(self._taken[:, 2:], chip[2:]) > np.maximum(self._taken[:, :2], chip[:2])
        return bool((overlap[:, 0] & overlap[:, 1]).any())

    def draw_chips(self, overlay: Overlay) -> None:
        """Draw the coloured backgrounds."""
        if not self._placed:
            return
        chips = np.stack([chip for _, chip in self._placed])
        outlines = overlay.fixed(rounded_rectangles(chips, 0.3 * (chips[:, 3] - chips[:, 1])))
        for (label, _), outline in zip(self._placed, outlines, strict=True):
            if not label.bare:
                overlay.fill(outline, label.colour, 0.5 if label.dimmed else 0.88)

    def draw_text(self, image: NDArray[np.uint8]) -> None:
        """Write the texts, after the backgrounds are blended into ``image``."""
        for label, chip in self._placed:
            padding = _padding_px(label.text_px)
            at = (int(chip[0]) + padding, int(chip[3]) - padding)
            colour = label.colour if label.bare else text_colour(label.colour)
            _put_text(image, label.text, at, _LABEL_FONT, label.text_px, colour)


def text_width_px(text: str, text_px: float) -> int:
    """The width of ``text`` as ``draw_words`` writes it."""
    return _text_width_px(text, _LINE_FONT, text_px)


def draw_words(
    image: NDArray[np.uint8], text: str, at_px: tuple[float, float], *, text_px: float, colour: Colour, align: float = 0
) -> int:
    """Write ``text`` with its baseline at ``at_px``, in place; ``align`` 0 is left, 0.5 centred, 1 right.

    Returns the width in pixels.
    """
    width = _text_width_px(text, _LINE_FONT, text_px)
    _put_text(image, text, (round(at_px[0] - align * width), round(at_px[1])), _LINE_FONT, text_px, colour)
    return width


def name_box(name: str, *, unit: float) -> FloatArray:
    """(4,): the chip in the upper left corner that ``draw_name`` fills."""
    text_px = text_height_px(unit)
    padding = max(3, round(0.55 * text_px))
    size = [_text_width_px(name, _LINE_FONT, text_px) + 2 * padding, round(text_px) + 2 * padding]
    return np.array([0.0, 0.0, *size]) + padding


def draw_name(image: NDArray[np.uint8], name: str, *, unit: float) -> None:
    """Write a camera's name on a dark chip in the upper left corner of ``image``, in place."""
    text_px = text_height_px(unit)
    chip = name_box(name, unit=unit)
    padding = int(chip[0])
    overlay = Overlay((image.shape[1], min(image.shape[0], int(chip[3]) + padding)))
    outline = rounded_rectangles(chip[None], np.array([0.3 * (chip[3] - chip[1])]))
    overlay.fill(overlay.fixed(outline)[0], DARK, 0.62)
    overlay.blend_into(image[: int(chip[3]) + padding])
    _put_text(image, name, (int(chip[0]) + padding, int(chip[3]) - padding), _LINE_FONT, text_px, WHITE)


def draw_status_line(image: NDArray[np.uint8], left: list[str], right: list[str], *, unit: float) -> None:
    """Write a slim line along the lower edge of ``image``, in place; the first text of each side is brighter.

    Texts at the left for which there is no room are left out.
    """
    height, width = image.shape[:2]
    text_px = text_height_px(unit)
    line_px = min(height, round(2.7 * text_px))
    strip = image[height - line_px :]
    # Darker towards the edge: the text stands on even ground, and the picture has no hard border.
    alpha = np.linspace(0.45, 0.8, line_px, dtype=np.float32)[:, None, None]
    strip[:] = (strip * (1 - alpha) + np.array(DARK, np.float32) * alpha + 0.5).astype(np.uint8)
    baseline = height - round((line_px - text_px) / 2)
    gap = round(1.8 * text_px)
    end = width - gap
    for position, text in enumerate(right):
        end -= _text_width_px(text, _LINE_FONT, text_px)
        _put_text(image, text, (end, baseline), _LINE_FONT, text_px, MUTED if position else WHITE)
        end -= gap
    x = gap
    for position, text in enumerate(left):
        text_end = x + _text_width_px(text, _LINE_FONT, text_px)
        if position and text_end > end:
            break
        _put_text(image, text, (x, baseline), _LINE_FONT, text_px, MUTED if position else WHITE)
        x = text_end + gap
