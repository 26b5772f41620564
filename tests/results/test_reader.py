"""Results read back."""

import json

import numpy as np
import pytest

from perception.errors import UsageError
from perception.results import ResultWriter, read_results
from perception.types import Detections


@pytest.fixture
def run(tmp_path, scene_of, tracks_of, forecasts_of):
    """A folder with three instants of two cameras, and the scenes that it was written from."""
    random = np.random.default_rng(3)
    scenes = []
    for index in range(3):
        corners = np.round(random.uniform(0, 100, (4, 2)), 2)
        boxes = np.concatenate([corners, corners + np.round(random.uniform(1, 90, (4, 2)), 2)], axis=1)
        tracks = tracks_of(boxes.tolist(), [3, 8, 9, 11], cameras=["front", "rear", "front", "rear"])
        forecasts = forecasts_of(tracks, random.normal(0, 0.1, (3, 2)), [0.5, 0.3, 0.2])
        detections = [
            Detections(
                boxes_xyxy_px=boxes[:2],
                scores=np.array([0.75, 0.5]),
                labels=np.array([0, 5]),
                features=np.zeros((2, 0)),
                camera=camera,
                image_size_px=(320, 240),
            )
            for camera in ("front", "rear")
        ]
        scenes.append(
            scene_of(
                tracks,
                forecasts,
                index=5 * index,
                timestamp_ns=index * 10**8,
                cameras=("front", "rear"),
                detections=detections,
                stage_ms={"detection": 10.0 + index},
            )
        )
    with ResultWriter(tmp_path / "run", cameras=["front", "rear"]) as writer:
        for scene in scenes:
            writer.write(scene)
    return tmp_path / "run", scenes


def test_what_was_written_comes_back(run):
    folder, scenes = run
    results = read_results(folder)
    assert results.cameras == ("front", "rear")
    assert results.half_lines == 0
    assert results.tracks.frame_indices.tolist() == [0] * 4 + [5] * 4 + [10] * 4
    for scene in scenes:
        rows = results.tracks[results.tracks.frame_indices == scene.frame_set.index]
        rows = rows[np.argsort(rows.ids)]
        np.testing.assert_array_equal(rows.ids, scene.tracks.ids)
        np.testing.assert_array_equal(rows.labels, scene.tracks.labels)
        np.testing.assert_array_equal(rows.cameras, scene.tracks.cameras)
        np.testing.assert_allclose(rows.boxes_xyxy_px, scene.tracks.boxes_xyxy_px, atol=1e-9)
        np.testing.assert_allclose(rows.scores, scene.tracks.scores, atol=5e-5)
    np.testing.assert_array_equal(results.stage_ms["detection"], [10, 11, 12])


def test_detections_come_back_per_camera(run):
    folder, scenes = run
    results = read_results(folder)
    assert set(results.detections) == {"front", "rear"}
    rear = results.detections["rear"]
    assert rear.frame_indices.tolist() == [0, 0, 5, 5, 10, 10]
    assert (rear.ids == -1).all()
    assert (rear.cameras == "rear").all()
    assert rear.labels.tolist() == [0, 5] * 3
    np.testing.assert_allclose(rear.boxes_xyxy_px[2:4], scenes[1].detections["rear"].boxes_xyxy_px, atol=1e-9)


def test_forecasts_come_back(run):
    folder, scenes = run
    records = read_results(folder).forecasts
    for record, scene in zip(records, scenes, strict=True):
        assert (record.index, record.timestamp_ns) == (scene.frame_set.index, scene.timestamp_ns)
        np.testing.assert_array_equal(record.forecasts.track_ids, scene.forecasts.track_ids)
        np.testing.assert_allclose(record.forecasts.means, scene.forecasts.means, atol=6e-6)
        np.testing.assert_allclose(record.forecasts.stds, scene.forecasts.stds, atol=6e-6)
        np.testing.assert_allclose(record.forecasts.probabilities, scene.forecasts.probabilities, atol=6e-5)
        np.testing.assert_array_equal(record.cameras, scene.tracks.cameras)
        np.testing.assert_array_equal(record.labels, scene.tracks.labels)
        np.testing.assert_allclose(record.boxes_xyxy_px, scene.tracks.boxes_xyxy_px, atol=1e-9)
        np.testing.assert_array_equal(record.image_sizes_px, scene.tracks.image_sizes_px)
        assert record.forecasts.dt_s == scene.forecasts.dt_s


def test_a_run_without_instants_is_empty(tmp_path):
    with ResultWriter(tmp_path, cameras=["front"]):
        pass
    results = read_results(tmp_path)
    assert (len(results.tracks), len(results.forecasts), results.half_lines) == (0, 0, 0)


def test_a_killed_run_is_read_up_to_its_last_whole_lines(run):
    folder, _ = run
    (folder / "timing.json").unlink()
    for name, keep in (("forecasts.jsonl", -50), ("tracks_rear.txt", -4)):
        text = (folder / name).read_text()
        (folder / name).write_text(text[:keep])
    results = read_results(folder)
    assert results.half_lines == 2
    assert len(results.forecasts) == 2
    assert len(results.tracks) == 11
    assert results.stage_ms == {}


@pytest.mark.parametrize(
    "line",
    ["1,2,3", "1,2,3,4,5,6,0.5,7,1", "0,2,3,4,5,6,0.5,1,1", "a,b", "1,2,3,4,nan,6,0.5,1,1", "1,2,3,4,-5,6,1,1,1"],
)
def test_a_malformed_track_names_file_and_line(run, line):
    folder, _ = run
    lines = (folder / "tracks_front.txt").read_text().splitlines()
    lines[2] = line
    (folder / "tracks_front.txt").write_text("\n".join(lines) + "\n")
    with pytest.raises(UsageError, match=r"tracks_front\.txt, line 3: expected frame,id"):
        read_results(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: value.pop("dt_s"),
        lambda value: value["tracks"][0].pop("means"),
        lambda value: value["tracks"][0].update(probabilities=[0.5]),
        lambda value: value["tracks"][0].update({"class": "tank"}),
        lambda value: value["tracks"][0].update(box_xyxy_px=[1, 2]),
    ],
)
def test_a_malformed_forecast_names_file_and_line(run, damage):
    folder, _ = run
    lines = (folder / "forecasts.jsonl").read_text().splitlines()
    value = json.loads(lines[1])
    damage(value)
    lines[1] = json.dumps(value)
    (folder / "forecasts.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(UsageError, match=r"forecasts\.jsonl, line 2: is not a forecast"):
        read_results(folder)


@pytest.mark.parametrize(
    "content", ["[", "{}x", '[{"image_id": 1}]', "[3]", '[{"image_id":0,"category_id":9,"bbox":[1,2,3,4],"score":1}]']
)
def test_malformed_detections_name_the_file(run, content):
    folder, _ = run
    (folder / "detections_rear.json").write_text(content)
    with pytest.raises(UsageError, match=r"detections_rear\.json"):
        read_results(folder)


def test_missing_files_are_named(run, tmp_path):
    folder, _ = run
    (folder / "tracks_rear.txt").unlink()
    with pytest.raises(UsageError, match=r"tracks_rear\.txt: cannot be read"):
        read_results(folder)
    with pytest.raises(UsageError, match="name the folder of a run"):
        read_results(tmp_path / "nowhere")
