"""The pictures of failures: their names, what they say, and the list of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.evaluation_tables import table

from perception.evaluation.failures import gallery as failure_album
from perception.evaluation.failures.gallery import FOLDER, MAX_TILES, make_gallery, mean_brightness
from perception.evaluation.failures.rank import Failures
from perception.sources.images import rgb_from_bytes
from perception.types import BoxTable, Frame

BOX = (20.0, 20.0, 60.0, 50.0)
BESIDE = (30.0, 20.0, 70.0, 50.0)
NOTHING = table([])


def frames(*keys: tuple[str, int]) -> Iterator[Frame]:
    for camera, index in keys:
        yield Frame(np.full((100, 160, 3), 51, np.uint8), camera, timestamp_ns=0, index=index)


@pytest.fixture
def captions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What the pictures say, in the order of drawing."""
    said: list[tuple[str, ...]] = []
    draw = failure_album.draw_failure
    monkeypatch.setattr(
        failure_album, "draw_failure", lambda view, caption: said.append(tuple(caption)) or draw(view, caption)
    )
    return said


def album_of(
    misses: BoxTable, false_alarms: BoxTable, *, truth: BoxTable, detections: BoxTable
) -> failure_album.Gallery:
    failures = Failures(misses, false_alarms, miss_count=24, false_alarm_count=3)
    return make_gallery(frames(("front", 123)), failures, truth=truth, detections=detections, score_threshold=0.25)


def test_names_state_severity_class_score_and_location() -> None:
    truth = table([(123, 7, BOX)])
    alarm = table([(123, -1, (90, 20, 120, 60))], labels=2, scores=0.87)
    gallery = album_of(truth, alarm, truth=truth, detections=alarm)
    assert list(gallery.files) == [
        "failures/miss-01-car-front-000123.jpg",
        "failures/false-01-bus-0.87-front-000123.jpg",
        "failures/misses.jpg",
        "failures/false-alarms.jpg",
    ]
    miss, false = gallery.entries
    assert (miss.file, miss.kind, miss.score) == ("failures/miss-01-car-front-000123.jpg", "miss", None)
    assert (false.class_name, false.score, false.height_px) == ("bus", 0.87, 40.0)
    assert (false.camera, false.frame_index, false.box_xyxy_px) == ("front", 123, (90.0, 20.0, 120.0, 60.0))
    assert all(rgb_from_bytes(content) is not None for content in gallery.files.values())
    assert gallery.brightness == {("front", 123): pytest.approx(0.2)}


def test_single_images_go_by_the_names_of_their_files() -> None:
    truth = table([(4, 7, BOX)], cameras="0/val")
    gallery = make_gallery(
        frames(("0/val", 4)),
        Failures(truth, NOTHING, 1, 0),
        truth=truth,
        detections=NOTHING,
        score_threshold=0.25,
        file_names={("0/val", 4): "night & rain (2).jpg"},
    )
    assert list(gallery.files) == ["failures/miss-01-car-night-rain-2.jpg", "failures/misses.jpg"]


@pytest.mark.parametrize(
    ("rows", "scores", "said"),
    [
        ([], [], "Nothing was detected there."),
        ([(100.0, 20.0, 140.0, 50.0)], [0.9], "Nothing was detected there."),
        (
            [BESIDE],
            [0.1],
            "Closest detection: car 0.10, overlap (IoU) 0.60, below the score of 0.25 from which it counts.",
        ),
        # A sure one beside it matters less than a weak one on it; of those on it the highest-scoring.
        ([(45.0, 20.0, 80.0, 50.0), BESIDE, BOX], [0.9, 0.2, 0.1], "Closest detection: car 0.20, overlap (IoU) 0.60"),
        ([(45.0, 20.0, 80.0, 50.0)], [0.9], "Closest detection: car 0.90, overlap (IoU) 0.25."),
    ],
)
def test_a_miss_reports_what_was_detected_there(
    captions: list[tuple[str, ...]], rows: list[tuple[float, float, float, float]], scores: list[float], said: str
) -> None:
    truth = table([(123, 7, BOX)])
    album_of(truth, NOTHING, truth=truth, detections=table([(123, -1, row) for row in rows], scores=scores))
    ((headline, closest),) = captions
    assert headline == "Miss 1 of 24: car, 30 px high  |  front, frame 123"
    assert closest.startswith(said)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "No true object is there."),
        ([BESIDE], "Closest true object: car, 30 px high, overlap (IoU) 0.60."),
    ],
)
def test_a_false_alarm_reports_what_is_really_there(
    captions: list[tuple[str, ...]], rows: list[tuple[float, float, float, float]], said: str
) -> None:
    alarm = table([(123, -1, BOX)], labels=2, scores=0.87)
    album_of(NOTHING, alarm, truth=table([(123, 7, row) for row in rows]), detections=alarm)
    assert captions == [("False positive 1 of 3: bus 0.87, 30 px high  |  front, frame 123", said)]


def test_a_sheet_has_at_most_twelve_tiles_and_a_failure_whose_frame_is_gone_no_picture() -> None:
    truth = table([(frame, frame, BOX) for frame in range(15)])
    gallery = make_gallery(
        frames(*(("front", frame) for frame in range(14))),
        Failures(truth, NOTHING, 15, 0),
        truth=truth,
        detections=NOTHING,
        score_threshold=0.25,
    )
    assert len(gallery.entries) == 14
    assert len(gallery.files) == 15
    sheet = rgb_from_bytes(gallery.files["failures/misses.jpg"])
    assert sheet is not None
    assert sheet.shape[0] // 400 == MAX_TILES // 4


def test_nothing_to_show() -> None:
    gallery = album_of(NOTHING, NOTHING, truth=NOTHING, detections=NOTHING)
    assert (gallery.entries, gallery.files) == ((), {})


def test_pictures_are_written_into_the_folder_of_the_run(tmp_path: Path) -> None:
    truth = table([(123, 7, BOX)])
    album_of(truth, NOTHING, truth=truth, detections=NOTHING).write(tmp_path)
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == ["miss-01-car-front-000123.jpg", "misses.jpg"]


def test_brightness_is_the_mean_of_all_channels() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    assert mean_brightness(image) == 0
    image[:, 4:] = (255, 255, 0)
    assert mean_brightness(image) == pytest.approx(1 / 3)
