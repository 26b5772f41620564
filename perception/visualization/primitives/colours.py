"""Colours that stay with a track's id.

The hues go around the palette of Okabe and Ito (jfly.uni-koeln.de/color), which people with a colour vision
deficiency can tell apart, brightened to stand out on video. Ids that follow one another get colours far apart.
"""

from __future__ import annotations

Colour = tuple[int, int, int]
"""Red, green, blue, 0..255."""

TRACK_COLOURS: tuple[Colour, ...] = (
    (64, 190, 255),
    (255, 176, 46),
    (150, 140, 255),
    (46, 224, 160),
    (232, 130, 250),
    (255, 118, 72),
    (72, 240, 240),
    (250, 236, 72),
    (255, 96, 150),
    (178, 235, 70),
)

WHITE: Colour = (245, 247, 250)
MUTED: Colour = (168, 176, 188)
DARK: Colour = (14, 17, 22)
PANEL: Colour = (24, 28, 35)


def track_colour(track_id: int) -> Colour:
    """The colour of a track: the same for the same id, in every picture and every run."""
    return TRACK_COLOURS[track_id % len(TRACK_COLOURS)]


def class_colour(label: int) -> Colour:
    """The colour of a class, by its label."""
    return TRACK_COLOURS[label % len(TRACK_COLOURS)]


def text_colour(background: Colour) -> Colour:
    """Dark or white, whichever reads better on ``background`` (relative luminance of Rec. 709)."""
    red, green, blue = background
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return DARK if luminance > 110 else WHITE
