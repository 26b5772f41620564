"""What a run writes."""

import json
from dataclasses import replace

import numpy as np
import pytest

from perception.errors import PerceptionError
from perception.results import ResultWriter
from perception.types import Detections, Forecasts, FrameSet


def found(boxes, camera="front"):
    count = len(boxes)
    return Detections(
        boxes_xyxy_px=np.array(boxes, np.float32).reshape(count, 4),
        scores=np.linspace(0.9, 0.5, count).astype(np.float32),
        labels=np.arange(count) % 6,
        features=np.zeros((count, 0), np.float32),
        camera=camera,
        image_size_px=(320, 240),
    )


def test_tracks_are_motchallenge_lines_of_what_is_seen(tmp_path, scene_of, tracks_of):
    tracks = tracks_of([[10, 20, 30.5, 60], [1, 2, 3, 4], [5.123, 6, 7, 8]], [4, 5, 6], unseen_s=[0, 0.2, 0])
    with ResultWriter(tmp_path, cameras=["front"]) as writer:
        writer.write(scene_of(tracks, index=7))
        assert (tmp_path / "tracks.txt").read_text().splitlines() == [
            "8,4,10.00,20.00,20.50,40.00,0.9000,1,1",
            "8,6,5.12,6.00,1.88,2.00,0.5000,3,1",
        ]


def test_pycocotools_takes_the_detections_for_what_they_are(tmp_path, scene_of):
    coco = pytest.importorskip("pycocotools.coco")
    with ResultWriter(tmp_path, cameras=["front"]) as writer:
        writer.write(scene_of(index=4, detections=[found([[10, 20, 30, 60]] * 6)]))
    names = {1: "person", 2: "bicycle", 3: "car", 4: "motorcycle", 6: "bus", 8: "truck"}
    truth = coco.COCO()
    truth.dataset = {
        "images": [{"id": 4}],
        "categories": [{"id": number, "name": name} for number, name in names.items()],
        "annotations": [],
    }
    truth.createIndex()
    taken = truth.loadRes(str(tmp_path / "detections.json")).dataset["annotations"]
    ours = [one["category_name"] for one in taken]
    assert [names[one["category_id"]] for one in taken] == [*ours[:5], "person"] and ours[5] == "pedestrian"


def test_detections_are_coco_results_and_whole_at_any_time(tmp_path, scene_of):
    writer = ResultWriter(tmp_path, cameras=["front"])
    for index in range(3):
        writer.write(scene_of(index=index, detections=[found([[10, 20, 30, 60], [1, 2, 3, 4]] if index else [])]))
        records = json.loads((tmp_path / "detections.json").read_text())
        assert len(records) == 2 * index
    assert records[0] == {
        **{"image_id": 1, "category_id": 3, "category_name": "car"},
        **{"bbox": [10, 20, 20, 40], "score": 0.9},
    }
    assert records[3] == {
        **{"image_id": 2, "category_id": 8, "category_name": "truck"},
        **{"bbox": [1, 2, 2, 2], "score": 0.5},
    }


def test_forecasts_are_one_line_per_instant(tmp_path, scene_of, tracks_of, forecasts_of):
    tracks = tracks_of([[100, 80, 180, 160], [10, 20, 30, 40]], [8, 9], unseen_s=[0.25, 0])
    forecasts = forecasts_of(tracks, [[0.1, 0.0], [0.0, 0.1]], [0.75, 0.25], steps=2, dt_s=0.5)
    writer = ResultWriter(tmp_path, cameras=["front"])
    writer.write(scene_of(tracks, forecasts[[0]], index=3, timestamp_ns=300))
    writer.write(scene_of(index=4, timestamp_ns=400))
    first, second = map(json.loads, (tmp_path / "forecasts.jsonl").read_text().splitlines())
    assert (first["index"], first["timestamp_ns"], first["reference_frame"], first["dt_s"]) == (3, 300, "image", 0.5)
    (record,) = first["tracks"]
    assert record == {
        "id": 8,
        "camera": "front",
        "class": "car",
        "box_xyxy_px": [100, 80, 180, 160],
        "image_size_px": [320, 240],
        "unseen_s": 0.25,
        "probabilities": [0.75, 0.25],
        "means": [
            [[0.4875, 0.5, 0.25, 0.33333], [0.5375, 0.5, 0.25, 0.33333]],
            [[0.4375, 0.55, 0.25, 0.33333], [0.4375, 0.6, 0.25, 0.33333]],
        ],
        "stds": [[[0.01] * 4] * 2] * 2,
    }
    assert (second["index"], second["tracks"]) == (4, [])


def test_several_cameras_have_a_file_each(tmp_path, scene_of, tracks_of):
    cameras = ["front left", "front/left"]
    tracks = tracks_of([[10, 20, 30, 60], [1, 2, 3, 4]], [4, 5], cameras=cameras)
    with ResultWriter(tmp_path, cameras=cameras) as writer:
        writer.write(scene_of(tracks, cameras=cameras, detections=[found([[1, 2, 3, 4]], cameras[1])]))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "tracks_front_left.txt",
        "tracks_front_left-2.txt",
        "detections_front_left.json",
        "detections_front_left-2.json",
        "forecasts.jsonl",
        "labels.txt",
        "timing.json",
    }
    assert (tmp_path / "tracks_front_left-2.txt").read_text().startswith("1,5,")
    assert json.loads((tmp_path / "detections_front_left.json").read_text()) == []
    assert len(json.loads((tmp_path / "detections_front_left-2.json").read_text())) == 1


def test_frames_are_counted_in_each_camera(tmp_path, scene_of, tracks_of):
    cameras = ["front", "rear"]
    tracks = tracks_of([[10, 20, 30, 60], [1, 2, 3, 4]], [4, 5], cameras=cameras)
    scene = scene_of(tracks, index=20, cameras=cameras, detections=[found([[1, 2, 3, 4]], "rear")])
    frames = (replace(scene.frame_set.frames[0], index=20), replace(scene.frame_set.frames[1], index=7))
    with ResultWriter(tmp_path, cameras=cameras) as writer:
        writer.write(replace(scene, frame_set=FrameSet(frames, 0, 20)))
    assert (tmp_path / "tracks_front.txt").read_text().startswith("21,4,")
    assert (tmp_path / "tracks_rear.txt").read_text().startswith("8,5,")
    assert json.loads((tmp_path / "detections_rear.json").read_text())[0]["image_id"] == 7
    assert json.loads((tmp_path / "forecasts.jsonl").read_text())["index"] == 20


def test_an_interrupted_run_has_its_timing(tmp_path, scene_of):
    with pytest.raises(KeyboardInterrupt), ResultWriter(tmp_path, cameras=["front"]) as writer:
        writer.write(scene_of(index=0, stage_ms={"detection": 12.5}))
        writer.write(scene_of(index=1, stage_ms={"detection": 10.0, "forecasting": 1.25}))
        raise KeyboardInterrupt
    assert json.loads((tmp_path / "timing.json").read_text()) == {
        "instants": 2,
        "stage_ms": {"detection": [12.5, 10.0], "forecasting": [0.0, 1.25]},
    }
    writer.close()


def test_a_full_disk_keeps_whole_instants(tmp_path, scene_of, tracks_of, forecasts_of, file_size_limit):
    tracks = tracks_of([[100, 80, 180, 160]])
    scene = scene_of(tracks, forecasts_of(tracks, [[0.123, 0.0]]), detections=[found([[1, 2, 3, 4]])])
    with (
        file_size_limit(20_000),
        pytest.raises(PerceptionError, match=r"forecasts\.jsonl: cannot be written \(.*\)\.$"),
        ResultWriter(tmp_path, cameras=["front"]) as writer,
    ):
        for _ in range(1000):
            writer.write(scene)
    lines = (tmp_path / "forecasts.jsonl").read_text()
    assert lines.endswith("}\n")
    assert len([json.loads(line) for line in lines.splitlines()]) == writer.written >= 3
    assert len(json.loads((tmp_path / "detections.json").read_text())) >= writer.written


def test_results_are_never_overwritten(tmp_path):
    with ResultWriter(tmp_path, cameras=["front"]):
        pass
    with pytest.raises(PerceptionError, match=r"tracks\.txt: exists already"):
        ResultWriter(tmp_path, cameras=["front"])


def test_strangers_are_refused(tmp_path, scene_of, tracks_of, forecasts_of):
    writer = ResultWriter(tmp_path, cameras=["front"])
    with pytest.raises(ValueError, match="rear"):
        writer.write(scene_of(tracks_of([[1, 2, 3, 4]], cameras=["rear"])))
    with pytest.raises(ValueError, match=r"none of \['front'\]"):
        writer.write(scene_of(tracks_of([[1, 2, 3, 4]]), cameras=()))
    tracks = tracks_of([[1, 2, 3, 4]], [5])
    forecasts = forecasts_of(tracks, [[0.0, 0.0]])
    with pytest.raises(ValueError, match=r"unknown ids \[6\]"):
        writer.write(scene_of(tracks, Forecasts(**{**vars(forecasts), "track_ids": np.array([6])})))
    with pytest.raises(ValueError, match="each once"):
        ResultWriter(tmp_path / "b", cameras=["front", "front"])
    assert (tmp_path / "tracks.txt").read_text() == ""
