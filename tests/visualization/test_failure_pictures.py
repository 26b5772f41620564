"""Pictures of failures: their sizes, that the object lies inside, and that both kinds of boxes are seen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from perception.types import BoxTable
from perception.visualization.failure_pictures import (
    DETECTION_COLOUR,
    TRUTH_COLOUR,
    FailureView,
    draw_failure,
    draw_sheet,
    draw_tile,
    jpeg_bytes,
)

SIZE_PX = (640, 400)


def boxes(*rows: tuple[float, float, float, float], score: float = 1.0) -> BoxTable:
    count = len(rows)
    return BoxTable(
        frame_indices=np.zeros(count, np.int64),
        ids=np.arange(count),
        labels=np.zeros(count, np.int64),
        scores=np.full(count, score),
        boxes_xyxy_px=np.array(rows, np.float64).reshape(count, 4),
        cameras=np.full(count, "front"),
    )


def view(
    box: tuple[float, float, float, float] = (300, 180, 340, 210),
    *,
    is_miss: bool = True,
    size_px: tuple[int, int] = SIZE_PX,
    truth: BoxTable | None = None,
    detections: BoxTable | None = None,
) -> FailureView:
    image = np.full((size_px[1], size_px[0], 3), 100, np.uint8)
    left, top, right, bottom = (round(max(0.0, side)) for side in box)
    image[top:bottom, left:right] = (230, 20, 20)
    subject = boxes(box, score=1.0 if is_miss else 0.87)
    return FailureView(
        image=image,
        subject=subject,
        is_miss=is_miss,
        truth=truth or boxes(),
        detections=detections or boxes(),
        score_threshold=0.25,
    )


def count_like(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(picture.astype(int) - colour).max(axis=2) < 25).sum())


@pytest.mark.parametrize("size_px", [SIZE_PX, (320, 200), (240, 500), (60, 40), (3000, 2000)])
@pytest.mark.parametrize("is_miss", [True, False])
def test_a_picture_is_960_wide_and_shows_the_object(size_px: tuple[int, int], is_miss: bool) -> None:
    width, height = size_px
    box = (0.4 * width, 0.4 * height, 0.5 * width, 0.6 * height)
    picture = draw_failure(view(box, is_miss=is_miss, size_px=size_px), ("one", "two"))
    assert picture.shape[1] == 960
    assert 500 < picture.shape[0] < 1100
    assert picture.dtype == np.uint8
    assert count_like(picture, (230, 20, 20)) > 1000
    # The legend has both colours, the picture much more of the one that it is about.
    own, other = (TRUTH_COLOUR, DETECTION_COLOUR) if is_miss else (DETECTION_COLOUR, TRUTH_COLOUR)
    assert count_like(picture, own) > 2 * count_like(picture, other) > 0


@pytest.mark.parametrize("box", [(0, 0, 30, 30), (620, 380, 640, 400), (-10, 150, 20, 200), (0, 0, 640, 400)])
def test_an_object_at_the_border_is_shown_too(box: tuple[float, float, float, float]) -> None:
    assert count_like(draw_failure(view(box), ("one",)), (230, 20, 20)) > 1000


def test_truth_and_detections_are_drawn_and_weak_ones_faintly() -> None:
    near = (360, 180, 400, 210)
    alone = draw_failure(view(), ("one",))
    found = draw_failure(view(detections=boxes(near, score=0.9)), ("one",))
    weak = draw_failure(view(detections=boxes(near, score=0.1)), ("one",))
    true = draw_failure(view(truth=boxes(near)), ("one",))
    assert count_like(true, TRUTH_COLOUR) > count_like(alone, TRUTH_COLOUR) + 300
    assert count_like(found, DETECTION_COLOUR) > count_like(weak, DETECTION_COLOUR) + 300
    assert (weak != alone).any()


def test_the_image_itself_is_left_alone() -> None:
    seen = view(truth=boxes((300, 100, 350, 150)))
    before = seen.image.copy()
    draw_failure(seen, ("one",))
    np.testing.assert_array_equal(seen.image, before)


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 2, 1), (3, 3, 1), (4, 2, 2), (8, 4, 2), (12, 4, 3)])
def test_a_sheet_is_a_grid_of_tiles(count: int, columns: int, rows: int) -> None:
    tile = draw_tile(view(), "1  a very long caption that does not fit into one line of a tile, whatever one does")
    height, width = tile.shape[:2]
    sheet = draw_sheet([tile] * count, "Missed")
    assert sheet.shape[1] // width == columns
    assert sheet.shape[0] // height == rows
    assert count_like(sheet, (230, 20, 20)) == count * count_like(tile, (230, 20, 20))


def test_a_sheet_without_tiles_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one tile"):
        draw_sheet([], "Missed")


def test_a_jpeg_holds_the_picture() -> None:
    picture = draw_tile(view(), "one")
    decoded = cv2.imdecode(np.frombuffer(jpeg_bytes(picture), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == picture.shape
    assert np.abs(decoded[..., ::-1].astype(int) - picture).mean() < 5
