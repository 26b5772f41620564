"""Doubts on true boxes: twice the same, outside the image, shares instead of pixels."""

from __future__ import annotations

import pytest
from support.evaluation_tables import table

from perception.errors import UsageError
from perception.sources.truth.box_truth import doubts_on_boxes, doubts_on_places

BOX, FAR = (10.0, 10.0, 30.0, 30.0), (110.0, 10.0, 130.0, 30.0)


def test_the_same_box_under_two_ids_is_told() -> None:
    assert doubts_on_boxes(table([(0, 1, BOX), (1, 1, BOX), (0, 2, FAR)])) == ()
    assert doubts_on_boxes(table([(0, 1, BOX), (0, 2, BOX)], labels=[0, 1])) == ()
    assert doubts_on_boxes(table([(0, 1, BOX), (0, 2, BOX)], cameras=["a", "b"])) == ()
    (doubt,) = doubts_on_boxes(table([(0, 1, BOX), (0, 2, BOX), (0, 3, BOX)]))
    assert doubt.startswith("2 true boxes given twice")


def test_shares_of_the_image_are_refused() -> None:
    with pytest.raises(UsageError, match="give them in pixels"):
        doubts_on_boxes(table([(0, 1, (0.1, 0.2, 0.3, 0.4)), (1, 1, (0.5, 0.2, 1.0, 0.4))]))
    assert doubts_on_boxes(table([])) == ()


def test_boxes_outside_the_image_are_told_by_camera() -> None:
    truth = table([(0, 1, BOX), (0, 2, FAR)], cameras=["front", "front"])
    assert doubts_on_places(truth, {"front": (200, 100), "rear": (10, 10)}) == ()
    (doubt,) = doubts_on_places(truth, {"front": (100, 100)})
    assert doubt.startswith("50.0% of the true boxes of front (1) have their centre outside its image of 100x100")
