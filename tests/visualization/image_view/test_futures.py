"""Which predicted paths are drawn into a camera's image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from support.tracks import make_tracks

from perception.types import Forecasts
from perception.visualization.image_view.futures import ImageFutures, select_futures

BOXES = np.array([[0.3, 0.5, 0.1, 0.2], [0.7, 0.5, 0.1, 0.2]])


def _selected(ages_s: list[float]) -> ImageFutures | None:
    """Two objects that go right by a fifth of the image, known for so long."""
    tracks = replace(make_tracks(BOXES, np.array([1, 2])), ages_s=np.array(ages_s))
    ahead = np.linspace(0.02, 0.2, 10)
    means = np.tile(BOXES[:, None, None], (1, 1, 10, 1))
    means[..., 0] += ahead
    forecasts = Forecasts(
        track_ids=tracks.ids, probabilities=np.ones((2, 1)), means=means, stds=np.full_like(means, 0.01), dt_s=0.3
    )
    return select_futures(
        tracks.boxes_xyxy_px, tracks, forecasts, size_px=(640, 360), min_path_px=5, min_probability=0.1
    )


def test_paths_begin_at_the_foot_of_the_box_and_go_where_it_will_be():
    futures = _selected([1.0, 1.0])
    assert futures is not None
    assert sorted(futures.rows.tolist()) == [0, 1]
    first = futures.paths_px[futures.rows == 0][0]
    np.testing.assert_allclose(first[0], [0.3 * 640, 0.6 * 360])
    np.testing.assert_allclose(first[-1], [0.5 * 640, 0.6 * 360])


def test_nothing_is_drawn_from_less_than_half_a_second_of_past():
    assert _selected([0.4, 0.0]) is None
    some = _selected([0.4, 0.5])
    assert some is not None
    assert some.rows.tolist() == [1]
