"""What unlabelled video is worth: figures from the end of a training, and their picture."""

from __future__ import annotations

from PIL import Image

from perception.training.engine.trainer import History
from perception.training.experiments.data_scaling import ScalingPoint, plot_points


def _history() -> History:
    figures = [
        {f"{name} {second} s (1/1000)": factor * second for name in ("FDE", "CV") for second in (1, 2, 3)}
        for factor in (1.0, 2.0)
    ]
    return History(validation=[{"step": 1, **figures[0]}, {"step": 2, **figures[1]}], best_step=1)


def test_a_point_is_read_at_the_end_not_at_the_best():
    point = ScalingPoint.of(_history(), minutes=1.5, tracks=7, frame="image")
    assert point.fde == (2.0, 4.0, 6.0)
    assert (point.minutes, point.tracks) == (1.5, 7)


def test_on_the_ground_it_is_read_in_metres():
    entry = {
        f"drives {name} {second} s": factor * second
        for name, factor in (("FDE", 1.0), ("CV", 2.0))
        for second in (1, 2, 3)
    }
    point = ScalingPoint.of(History(validation=[{"step": 1, **entry}]), minutes=1, tracks=2, frame="ground")
    assert (point.fde, point.cv, point.ratios) == ((1.0, 2.0, 3.0), (2.0, 4.0, 6.0), (0.5, 0.5, 0.5))
    assert ScalingPoint(1, 2, (0.0,), (0.0,)).ratios == (None,)


def test_the_picture_is_drawn(tmp_path):
    points = [ScalingPoint(minutes, 3, (1.0, 2.0, 3.0), (2.0, 4.0, 8.0)) for minutes in (0.0, 1.0, 4.0)]
    plot_points(points, tmp_path / "study.png")
    with Image.open(tmp_path / "study.png") as image:
        assert image.width > 700
