"""Every kind of change is seen, named and sorted; what lies within its tolerance is not."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
from golden.comparing import SHOWN, as_table, compare
from golden.values import Plain, read_values, write_values

TOLERANCES = read_values()["tolerances"]


def detection(x_px: float, score: float = 0.9, camera: str = "front") -> Plain:
    return {"camera": camera, "label": "car", "score": score, "box": [x_px, 50.0, x_px + 40, 80.0]}


def track(number: int, x_px: float) -> Plain:
    place = [x_px + 20, 65.0]
    return {**detection(x_px), "id": number, "place": place, "in_1_s": place, "at_end": place}


@pytest.fixture
def golden() -> Plain:
    return {
        "frame": "image",
        "conf": 0.1,
        "metrics": {"AP50 of vehicles": 0.8, "HOTA of vehicles": 0.6, "IDF1 of vehicles": 0.7, "FDE at 1 s, px": 20.0},
        "counts": {0: {"front": [3, 1]}, 1: {"front": [3, 0]}},
        "ids": {0: [1, 2], 1: [1, 2]},
        "detections": {0: [detection(10), detection(200), detection(400), detection(500, score=0.102)]},
        "tracks": {0: [track(1, 10), track(2, 200)]},
    }


@pytest.fixture
def now(golden: Plain) -> Plain:
    return deepcopy(golden)


def moved_quantities(golden: Plain, now: Plain) -> list[str]:
    """What moved; each must be named in the table, too."""
    moved = compare(golden, now, TOLERANCES, name="clip")
    text = " ".join(as_table(moved).split()) if moved else ""
    assert all(row.quantity in text for row in moved)
    return [row.quantity for row in moved]


def test_nothing_moves_by_itself(golden: Plain, now: Plain) -> None:
    assert moved_quantities(golden, now) == []


def test_a_box_that_moves_by_a_pixel_is_seen_and_by_less_than_half_a_pixel_is_not(golden: Plain, now: Plain) -> None:
    now["detections"][0][1]["box"][2] += 0.4
    assert moved_quantities(golden, now) == []
    now["detections"][0][1]["box"][2] += 0.6
    (moved,) = compare(golden, now, TOLERANCES, name="clip")
    assert moved.quantity == "detection box, px"
    assert (moved.difference, moved.tolerance) == (pytest.approx(1.0), 0.5)
    assert moved.where.startswith("clip 0 front car at 200.0")


def test_a_detection_that_is_gone_or_new_is_seen(golden: Plain, now: Plain) -> None:
    gone = now["detections"][0].pop(0)
    now["counts"][1]["front"] = [2, 0]
    assert sorted(moved_quantities(golden, now)) == ["detection", "detection count"]
    assert sorted(moved_quantities(now, golden)) == ["detection", "detection count"]
    now["counts"] = deepcopy(golden["counts"])
    now["detections"][0].append({**gone, "camera": "back"})
    assert moved_quantities(golden, now).count("detection") == 2, "the same box in another camera is another one"


def test_a_detection_at_the_threshold_may_come_and_go(golden: Plain, now: Plain) -> None:
    now["detections"][0].pop()
    now["counts"][0]["front"] = [3, 0]
    assert moved_quantities(golden, now) == []
    assert moved_quantities(now, golden) == []
    now["counts"][0]["front"] = [2, 0]
    assert moved_quantities(golden, now) == ["detection count"]


@pytest.mark.parametrize(
    ("key", "value", "quantity"),
    [("score", 0.88, "detection score, 0..1"), ("label", "truck", "detection label")],
)
def test_another_score_or_class_is_seen(golden: Plain, now: Plain, key: str, value: object, quantity: str) -> None:
    now["detections"][0][2][key] = value
    assert moved_quantities(golden, now) == [quantity]


def test_one_box_as_two_classes_is_matched_class_by_class(golden: Plain, now: Plain) -> None:
    for values in (golden, now):
        values["detections"][0].append({**detection(10), "label": "truck", "score": 0.3})
    now["detections"][0].reverse()
    assert moved_quantities(golden, now) == []


def test_two_tracks_that_swap_their_ids_are_seen(golden: Plain, now: Plain) -> None:
    first, second = now["tracks"][0]
    first["id"], second["id"] = second["id"], first["id"]
    assert moved_quantities(golden, now) == ["track id", "track id"]


def test_an_id_that_is_gone_or_new_is_seen_at_every_instant(golden: Plain, now: Plain) -> None:
    now["ids"][1] = [1, 3]
    (moved,) = compare(golden, now, TOLERANCES, name="clip")
    assert (moved.quantity, moved.where, moved.golden, moved.now) == ("track ids", "clip 1", "only 2", "only 3")


def test_a_track_that_is_gone_is_seen(golden: Plain, now: Plain) -> None:
    now["tracks"][0].pop()
    assert moved_quantities(golden, now) == ["track"]


@pytest.mark.parametrize(
    ("key", "quantity"),
    [("place", "place, px"), ("in_1_s", "forecast at 1 s, px"), ("at_end", "forecast at its end, px")],
)
def test_a_place_or_forecast_that_shifts_is_seen(golden: Plain, now: Plain, key: str, quantity: str) -> None:
    now["tracks"][0][0][key] = [30.3, 65.3]
    assert moved_quantities(golden, now) == []
    now["tracks"][0][0][key] = [31.5, 65.0]
    assert moved_quantities(golden, now) == [quantity]


def test_metres_have_tolerances_of_their_own(golden: Plain, now: Plain) -> None:
    golden["frame"] = now["frame"] = "ground"
    now["tracks"][0][0]["at_end"] = [30.3, 65.0]
    assert moved_quantities(golden, now) == ["forecast at its end, m"]


@pytest.mark.parametrize("name", ["AP50 of vehicles", "HOTA of vehicles", "IDF1 of vehicles", "FDE at 1 s, px"])
def test_a_metric_that_changes_or_is_missing_is_seen(golden: Plain, now: Plain, name: str) -> None:
    now["metrics"][name] *= 1.004 if name.startswith("FDE") else 1.001
    assert moved_quantities(golden, now) == []
    now["metrics"][name] = golden["metrics"][name] * 0.99
    assert moved_quantities(golden, now) == [name]
    del now["metrics"][name]
    assert moved_quantities(golden, now) == [name]


def test_the_table_shows_the_worst_first_and_counts_the_rest(golden: Plain, now: Plain) -> None:
    golden["detections"][0] = [detection(50.0 * number) for number in range(30)]
    now["detections"][0] = [detection(50.0 * number + 0.6 + number / 10) for number in range(29)]
    moved = compare(golden, now, TOLERANCES, name="clip")
    assert len(moved) == 30
    assert [row.quantity for row in moved[:2]] == ["detection", "detection box, px"]
    differences = [row.difference for row in moved[1:] if row.difference is not None]
    assert differences == sorted(differences, reverse=True) and differences[0] == pytest.approx(3.4)
    text = as_table(moved)
    assert text.count("detection box, px") == SHOWN - 1 + 1, "the rows, and the count at the end"
    assert f"and {30 - SHOWN} more" in text
    assert "In all: 29 x detection box, px, 1 x detection" in text


def test_the_file_is_read_as_it_was_written(golden: Plain, tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    golden["tracks"][5] = []
    values = {"tolerances": TOLERANCES, "history": [], "inputs": {"clip": golden}}
    write_values(values, path)
    assert read_values(path) == values
    kept = read_values()
    write_values(kept, path)
    assert read_values(path) == kept
