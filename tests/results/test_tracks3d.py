"""Tracks of a run in the world: ``tracks3d.csv``."""

import csv
import json

import numpy as np
import pytest

from perception.errors import UsageError
from perception.results import ResultWriter, read_results
from perception.results.tracks3d import read_world_rows
from perception.taxonomy import USUAL_SIZES_LWH_M
from perception.types import Forecasts, Tracks

CAMERAS = ("front", "rear")
OBJECT_COLUMNS = ["timestamp_ns", "id", "class", "x", "y", "z", "length", "width", "height", "yaw", "speed_mps"]


@pytest.fixture
def run(tmp_path, scene_of, ground_tracks_of, ground_forecasts_of):
    """A folder with three instants in the ground frame, the middle one empty, and the scenes."""
    scenes = []
    for index in range(3):
        tracks = ground_tracks_of(
            [[10.0 + index, 2.5], [-7.25, -3.0], [40.0, 8.0]] if index != 1 else [],
            [9, 3, 5] if index != 1 else [],
            labels=[0, 5, 1] if index != 1 else [],
            velocities_mps=[[3.0, 4.0], [0.0, 0.0], [-1.0, 0.0]] if index != 1 else None,
            headings_rad=[0.9273, -2.5, 3.1] if index != 1 else [],
            unseen_s=[0.0, 0.0, 0.4] if index != 1 else [],
            sightings=[
                (9, "front", [10.0, 20, 30, 60.5]),
                (9, "rear", [1.0, 2, 3, 4]),
                (3, "rear", [5.0, 6, 7, 8]),
            ]
            if index != 1
            else [],
        )
        forecasts = Forecasts.empty()
        if index != 1:
            forecasts = ground_forecasts_of(tracks[:2], [[1.5, 0.5], [0.0, 2.0]], [0.75, 0.25], stds=(0.5, 0.25))
        scenes.append(scene_of(tracks, forecasts, index=index, timestamp_ns=index * 10**8, cameras=CAMERAS))
    with ResultWriter(tmp_path / "run", cameras=CAMERAS) as writer:
        for scene in scenes:
            writer.write(scene)
    return tmp_path / "run", scenes


def test_the_table_begins_with_the_columns_of_true_objects(run):
    folder, _ = run
    with (folder / "tracks3d.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [*OBJECT_COLUMNS, "score"]
    assert rows[0] == {
        "timestamp_ns": "0",
        "id": "9",
        "class": "car",
        "x": "10.0000",
        "y": "2.5000",
        "z": "0.7750",
        "length": "4.5000",
        "width": "1.8500",
        "height": "1.5500",
        "yaw": "0.9273",
        "speed_mps": "5.0000",
        "score": "0.9000",
    }
    assert [row["id"] for row in rows] == ["9", "3", "9", "3"]


def test_the_tracks_in_the_world_come_back(run):
    folder, scenes = run
    objects = read_results(folder).objects
    for scene in (scenes[0], scenes[2]):
        rows = objects[objects.timestamps_ns == scene.timestamp_ns]
        seen = scene.tracks[scene.tracks.unseen_s == 0]
        np.testing.assert_array_equal(rows.ids, seen.ids)
        np.testing.assert_array_equal(rows.labels, seen.labels)
        np.testing.assert_allclose(rows.centres_m[:, :2], seen.means[:, :2], atol=1e-4)
        np.testing.assert_allclose(rows.yaws_rad, seen.headings_rad, atol=1e-4)
        np.testing.assert_allclose(rows.speeds_mps, np.linalg.norm(seen.means[:, 4:6], axis=1), atol=1e-4)
        np.testing.assert_allclose(rows.scores, seen.scores, atol=1e-4)
        np.testing.assert_allclose(rows.sizes_lwh_m, np.array(USUAL_SIZES_LWH_M)[seen.labels])
    assert len(objects) == 4


def test_boxes_come_from_the_sightings_of_each_camera(run):
    folder, _ = run
    assert (folder / "tracks_front.txt").read_text().splitlines()[0] == "1,9,10.00,20.00,20.00,40.50,0.7500,1,1"
    assert (folder / "tracks_rear.txt").read_text().splitlines()[:2] == [
        "1,9,1.00,2.00,2.00,2.00,0.7500,1,1",
        "1,3,5.00,6.00,2.00,2.00,0.7500,6,1",
    ]
    tracks = read_results(folder).tracks
    assert len(tracks) == 6
    assert set(tracks.ids[tracks.cameras == "rear"]) == {9, 3}


def test_sightings_of_tracks_that_were_left_out_are_not_written(tmp_path, scene_of, ground_tracks_of):
    sightings = [(1, "front", [1.0, 2, 3, 4]), (2, "front", [5.0, 6, 7, 8])]
    tracks = ground_tracks_of([[10.0, 0.0], [20.0, 0.0]], sightings=sightings)[[1]]
    with ResultWriter(tmp_path, cameras=["front"]) as writer:
        writer.write(scene_of(tracks))
    assert [line.split(",")[1] for line in (tmp_path / "tracks.txt").read_text().splitlines()] == ["2"]


def test_forecasts_in_metres_come_back(run):
    folder, scenes = run
    records = read_results(folder).forecasts
    for record, scene in zip(records, scenes, strict=True):
        assert record.forecasts.reference_frame == "ground"
        np.testing.assert_array_equal(record.forecasts.track_ids, scene.forecasts.track_ids)
        count = len(record.forecasts)
        assert record.positions_m.shape == (count, 2)
        np.testing.assert_allclose(record.positions_m, scene.tracks.means[:count, :2], atol=1e-3)
        np.testing.assert_allclose(record.headings_rad, scene.tracks.headings_rad[:count], atol=1e-4)
        if count:
            np.testing.assert_allclose(record.forecasts.means, scene.forecasts.means, atol=6e-4)
            np.testing.assert_allclose(record.forecasts.stds, scene.forecasts.stds, atol=6e-4)
            np.testing.assert_allclose(record.forecasts.axes_rad, scene.forecasts.axes_rad, atol=1e-4)


def test_a_line_of_forecasts_states_position_heading_and_axis(run):
    folder, _ = run
    first, second, _ = map(json.loads, (folder / "forecasts.jsonl").read_text().splitlines())
    assert (first["reference_frame"], second["reference_frame"], second["tracks"]) == ("ground", "ground", [])
    record = first["tracks"][0]
    assert record["position_m"] == [10.0, 2.5]
    assert record["heading_rad"] == record["axis_rad"] == 0.9273


def test_a_run_in_the_image_frame_has_no_such_table(tmp_path, scene_of, tracks_of):
    with ResultWriter(tmp_path, cameras=["front"]) as writer:
        writer.write(scene_of(tracks_of([[1, 2, 3, 4]])))
    assert not (tmp_path / "tracks3d.csv").exists()
    assert read_results(tmp_path).objects is None


def test_without_headings_and_sightings_motion_and_boxes_are_taken(tmp_path, scene_of, ground_tracks_of):
    tracks = ground_tracks_of([[10.0, 0.0]], velocities_mps=[[0.0, -2.0]])
    tracks = Tracks(**{**vars(tracks), "headings_rad": None, "sightings": None})
    with ResultWriter(tmp_path, cameras=["front"]) as writer:
        writer.write(scene_of(tracks))
    results = read_results(tmp_path)
    np.testing.assert_allclose(results.objects.yaws_rad, [-np.pi / 2], atol=1e-4)
    assert len(results.tracks) == 1


def test_a_sighting_by_a_camera_without_a_frame_is_refused(tmp_path, scene_of, ground_tracks_of):
    tracks = ground_tracks_of([[10.0, 0.0]], sightings=[(1, "rear", [1.0, 2, 3, 4])])
    writer = ResultWriter(tmp_path, cameras=CAMERAS)
    with pytest.raises(ValueError, match=r"none of \['rear'\]"):
        writer.write(scene_of(tracks, cameras=("front",)))
    assert not (tmp_path / "tracks3d.csv").exists()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "a,b",
        "0,1,car",
        "0,1,tank,1,2,3,4,5,6,7,8,0.5",
        "0,1,car,1,2,3,4,5,6,7,8",
        "0,1,car,nan,2,3,4,5,6,7,8,1",
        "0,1,car,1,2,3,-4,5,6,7,8,1",
        "0.5,1,car,1,2,3,4,5,6,7,8,1",
    ],
)
def test_a_malformed_line_is_named(run, line):
    folder, _ = run
    lines = (folder / "tracks3d.csv").read_text().splitlines()
    lines[2] = line
    (folder / "tracks3d.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(UsageError, match=r"tracks3d\.csv, line 3: expected timestamp_ns,id,class"):
        read_results(folder)


def test_other_columns_and_what_is_no_text_are_refused(tmp_path):
    path = tmp_path / "tracks3d.csv"
    path.write_text("id,x,y\n1,2,3\n")
    with pytest.raises(UsageError, match="line 1: expected the columns"):
        read_world_rows(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        read_world_rows(path)


def test_a_killed_run_is_read_up_to_its_last_whole_line(run):
    folder, _ = run
    text = (folder / "tracks3d.csv").read_text()
    (folder / "tracks3d.csv").write_text(text[:-30])
    results = read_results(folder)
    assert results.half_lines == 1
    assert len(results.objects) == 3
