"""Each bad setting is refused in a sentence that names its option."""

from __future__ import annotations

from typing import Any

import pytest

from perception.detection import DetectionSettings
from perception.errors import UsageError


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"confidence": -0.1}, "^confidence "),
        ({"confidence": 1.1}, "^confidence "),
        ({"confidence": float("nan")}, "^confidence "),
        ({"iou": 2.0}, "^iou "),
        ({"image_size_px": 31}, "^image_size_px "),
        ({"image_size_px": 4097}, "^image_size_px "),
        ({"classes": ("car", "tram")}, "^classes tram: "),
    ],
)
def test_bad_settings(values: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        DetectionSettings(**values)


def test_allowed_labels_follow_the_order_of_the_classes() -> None:
    assert DetectionSettings(classes=("bus", "car")).allowed_labels.tolist() == [True, False, True] + [False] * 3
    assert DetectionSettings().allowed_labels.all()
