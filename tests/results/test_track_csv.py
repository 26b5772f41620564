"""One table of tracks: its columns in both frames, names instead of numbers, and whole lines."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from perception.results import TrackCsvWriter
from perception.types import Scene, Tracks

TracksOf, SceneOf = Callable[..., Tracks], Callable[..., Scene]


def rows_in(folder: Path) -> list[dict[str, str]]:
    with (folder / "tracks.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_line_names_camera_and_class(tmp_path: Path, tracks_of: TracksOf, scene_of: SceneOf) -> None:
    writer = TrackCsvWriter(tmp_path)
    writer.write(scene_of())
    tracks = tracks_of([[1, 2, 31, 42], [5, 5, 9, 9]], [7, 8], cameras=['a "b", c'] * 2, unseen_s=[0, 0.1])
    writer.write(scene_of(tracks, index=4, timestamp_ns=250_000_000, cameras=['a "b", c']))
    assert rows_in(tmp_path) == [
        {
            **{"frame": "4", "time_s": "0.250000", "camera": 'a "b", c', "id": "7", "class": "car", "score": "0.9000"},
            **{"x1": "1.00", "y1": "2.00", "x2": "31.00", "y2": "42.00"},
        }
    ], "on disk as soon as it is written, and only what is seen"
    writer.close()


def test_on_the_ground_a_line_has_metres(tmp_path: Path, ground_tracks_of: TracksOf, scene_of: SceneOf) -> None:
    writer = TrackCsvWriter(tmp_path)
    sightings = [(5, "left", (0, 0, 9, 9)), (3, "front", (1, 1, 8, 8)), (5, "front", (2, 2, 8, 8))]
    tracks = ground_tracks_of(
        [(30, -2), (-4.5, 1)], [5, 3], labels=[2, 0], velocities_mps=[(3, 4), (0, -2)], sightings=sightings
    )
    writer.write(scene_of(tracks, cameras=["front", "left"]))
    writer.close()
    found = [(row["camera"], row["id"], row["x_m"], row["y_m"], row["speed_mps"]) for row in rows_in(tmp_path)]
    assert found == [
        ("front", "3", "-4.500", "1.000", "2.000"),
        ("front", "5", "30.000", "-2.000", "5.000"),
        ("left", "5", "30.000", "-2.000", "5.000"),
    ]


def test_a_run_without_tracks_has_a_table_without_lines(tmp_path: Path, scene_of: SceneOf) -> None:
    writer = TrackCsvWriter(tmp_path)
    writer.write(scene_of())
    writer.close()
    writer.close()
    assert (tmp_path / "tracks.csv").read_text() == "frame,time_s,camera,id,class,score,x1,y1,x2,y2\n"
