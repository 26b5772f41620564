"""Colours of tracks."""

import cv2
import numpy as np

from perception.visualization.primitives.colours import DARK, TRACK_COLOURS, WHITE, text_colour, track_colour

# Machado, Oliveira and Fernandes 2009, severity 1, for linear RGB.
DEUTERANOPIA = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
PROTANOPIA = np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]])


def lab(colours: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(colours[None].astype(np.float32), cv2.COLOR_LRGB2Lab)[0]


def test_a_colour_depends_on_the_id_alone():
    assert [track_colour(n) for n in (7, 3, 7)] == [TRACK_COLOURS[7], TRACK_COLOURS[3], TRACK_COLOURS[7]]
    assert track_colour(7 + len(TRACK_COLOURS)) == track_colour(7)


def test_ids_that_follow_one_another_differ_also_for_colour_blind_eyes():
    linear = (np.array(TRACK_COLOURS) / 255) ** 2.2
    for eyes in (np.eye(3), DEUTERANOPIA, PROTANOPIA):
        shades = lab(np.clip(linear @ eyes.T, 0, 1))
        assert np.linalg.norm(shades - np.roll(shades, 1, axis=0), axis=1).min() > 50


def test_text_stands_out_from_its_background():
    assert text_colour((255, 240, 60)) == DARK
    assert text_colour((20, 30, 90)) == WHITE
