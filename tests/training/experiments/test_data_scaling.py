"""What unlabelled video is worth: figures from the end of a training, and their picture."""

from __future__ import annotations

from PIL import Image

from perception.training.engine.trainer import History
from perception.training.experiments.data_scaling import Amount, draw_amounts


def _history() -> History:
    figures = [
        {f"{name} {second} s (1/1000)": factor * second for name in ("FDE", "CV") for second in (1, 2, 3)}
        for factor in (1.0, 2.0)
    ]
    return History(validation=[{"step": 1, **figures[0]}, {"step": 2, **figures[1]}], best_step=1)


def test_an_amount_is_read_at_the_end_not_at_the_best():
    amount = Amount.of(_history(), minutes=1.5, kept=7, frame="image")
    assert amount.fde == (2.0, 4.0, 6.0)
    assert (amount.minutes, amount.kept) == (1.5, 7)


def test_on_the_ground_it_is_read_in_metres():
    entry = {
        f"drives {name} {second} s": factor * second
        for name, factor in (("FDE", 1.0), ("CV", 2.0))
        for second in (1, 2, 3)
    }
    amount = Amount.of(History(validation=[{"step": 1, **entry}]), minutes=1, kept=2, frame="ground")
    assert (amount.fde, amount.cv, amount.ratios) == ((1.0, 2.0, 3.0), (2.0, 4.0, 6.0), (0.5, 0.5, 0.5))
    assert Amount(1, 2, (0.0,), (0.0,)).ratios == (None,)


def test_the_picture_is_drawn(tmp_path):
    amounts = [Amount(minutes, 3, (1.0, 2.0, 3.0), (2.0, 4.0, 8.0)) for minutes in (0.0, 1.0, 4.0)]
    draw_amounts(amounts, tmp_path / "study.png")
    with Image.open(tmp_path / "study.png") as image:
        assert image.width > 700
