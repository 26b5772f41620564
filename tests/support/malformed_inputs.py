"""Sound inputs of every kind that is read, what reads them, and ways to break them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from support.detection_cases import lively_roadnet
from support.media import numbered_image, write_image, write_video
from support.own_data_sets import write_coco_folder, write_yolo_folder
from support.prediction_cases import (
    kitti_tracking_text,
    mot_text,
    tracks_of,
    true_table,
    write_coco_truth,
    write_kitti_tracking,
    write_mot_truth,
    write_yolo_truth,
)
from support.windows import make_track_set

from perception.class_names import read_class_map
from perception.detection.roadnet.weights import read_roadnet, save_roadnet
from perception.errors import PerceptionError
from perception.evaluation.runs.predicted_run import predicted_run
from perception.evaluation.runs.truth import find_recordings, read_recording
from perception.forecasting.registry import read_gru, save_gru
from perception.forecasting.trajectory_gru import GruConfig, TrajectoryGRU
from perception.pipeline.config import RunConfig, load_config
from perception.results.formats.cvat import write_cvat
from perception.results.formats.forecast_csv import NUMBERS
from perception.results.formats.registry import find_format
from perception.results.reader import read_results
from perception.runtime.evaluate_predictions import read_pictures
from perception.runtime.run_metadata import need_run_source, read_run_rate
from perception.sources import open_source
from perception.sources.dataset_formats import read_objects, read_truth
from perception.sources.datasets.coco import read_coco_file
from perception.sources.images import read_rgb
from perception.sources.rigs import read_rig
from perception.sources.separate import separate_sources
from perception.sources.truth.image_header import read_header
from perception.tables.prediction_files import read_mot_boxes
from perception.tracking.ground.settings import GroundSettings
from perception.tracking.image.settings import TrackerSettings
from perception.tracking.settings_file import SettingsFile
from perception.training.detector.config import DetectorTraining
from perception.training.detector.own_data import read_own_data
from perception.training.detector.pseudo_labels.file import read_pseudo_labels
from perception.training.engine.config import read_training_config
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.tracks.track_cache import read_tracks as read_track_cache
from perception.training.forecaster.tracks.track_cache import write_tracks as write_track_cache
from perception.types import BoxTable
from perception.weights import read_card, read_config, read_plain_state, read_weights, weights_kind

Step = Callable[[], object]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Input:
    """Files of which one is broken, and ``reads``: each what reads them, which may say what is wrong with them."""

    name: str
    files: tuple[Path, ...]
    reads: tuple[Step, ...]

    def read(self) -> list[str]:
        """The sentences of all ``reads`` that refuse it; anything but a ``PerceptionError`` comes out."""
        said = []
        for step in self.reads:
            try:
                step()
            except PerceptionError as error:
                said.append(str(error))
        return said


def sound_inputs(root: Path) -> list[Input]:
    """One of each kind, in folders of ``root``."""
    return [*_sources(root), *_pictures(root), *_predictions(root), *_training(root), *_settings(root), *_weights(root)]


# ----------------------------------------------------------------------------------------------------------- sources

_INTRINSICS = [[50.0, 0, 48], [0, 50.0, 32], [0, 0, 1]]
_AHEAD = [[0, 0, 1, 1.7], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]]
_LARGE = numbered_image(1, size_px=(400, 400))
_IMU = (
    "Tr_velo_cam 0 -1 0 0 0 0 -1 -0.08 1 0 0 -0.27\nTr_imu_velo 1 0 0 -0.81 0 1 0 0 0 0 1 -0.8\n"
    "R_rect 1 0 0 0 1 0 0 0 1\n"
)
_PROJECTION = "50 0 48 0 0 50 32 0 0 0 1 0"


def _source(name: str, folder: Path, *patterns: str) -> Input:
    """A folder or file that ``open_source`` opens, broken in the files that match."""
    spec = str(folder)

    def pictures() -> None:
        with closing(open_source([spec])) as source:
            for number, frame_set in enumerate(source):
                for frame in frame_set.frames:
                    assert frame.image.ndim == 3
                if number == 2:
                    break

    files = tuple(path for pattern in patterns for path in sorted(folder.rglob(pattern)))
    return Input(name, files or (folder,), (pictures, lambda: read_truth(spec), lambda: read_objects(spec)))


def _sources(root: Path) -> Iterator[Input]:
    yield _source("recording", _recording(root / "recording"), "*.yaml", "*.csv")
    yield _source("frames.json", _frames(root / "frames"), "frames.json", "*.png")
    yield _source("nuScenes", _nuscenes(root / "nuscenes"), "*.json", "*.jpg")
    yield _source("KITTI odometry", _odometry(root / "odometry"), "*.txt")
    tracking = write_kitti_tracking(root / "kitti", {"0000": true_table(1)[:20]})
    (tracking / "oxts").mkdir()
    (tracking / "oxts" / "0000.txt").write_text("49 8.0001 112 0 0 0.1 0 0\n" * 12)
    with (tracking / "calib" / "0000.txt").open("a") as stream:
        stream.write(_IMU)
    for number in range(12):
        write_image(tracking / "image_02" / "0000" / f"{number:06d}.png", _LARGE)
    yield _source("KITTI tracking", tracking, "*.txt")
    mot = write_mot_truth(root / "mot", true_table(2)[:20])
    for number in range(12):
        write_image(mot / "img1" / f"{number:06d}.jpg", _LARGE)
    yield _source("MOTChallenge", mot, "*.ini", "*.txt")
    images = [numbered_image(number) for number in range(6)]
    for suffix in ("mp4", "mkv", "avi", "ts"):
        yield _source(f"video {suffix}", write_video(root / f"video.{suffix}", images))
    listing = root / "list.txt"
    listing.write_text(f"{root / 'video.mp4'}\n# a remark\n{root / 'recording'}\n")
    yield Input("list of sources", (listing,), (lambda: separate_sources([str(listing)]),))


def _recording(folder: Path) -> Path:
    folder.mkdir()
    write_video(folder / "A.mp4", [numbered_image(number) for number in range(4)])
    for number in range(4):
        write_image(folder / "img" / f"{number}.png", numbered_image(number))
    placed = {"intrinsics": _INTRINSICS, "vehicle_from_camera": _AHEAD}
    cameras = {
        "A": {"video": "A.mp4", "timestamps": "t.csv", "width": 96, "height": 64, **placed},
        "B": {"images": "img/*.png", "timestamps": "t.csv", "distortion": [-0.1, 0.01, 0.0, 0.0], **placed},
    }
    (folder / "recording.yaml").write_text(yaml.safe_dump({"road_height_m": 0.0, "cameras": cameras}))
    times = [10**17 + number * 10**8 for number in range(4)]
    _csv(folder / "t.csv", "timestamp_ns", [[time] for time in times])
    _csv(folder / "poses.csv", "timestamp_ns,x,y,z,qw,qx,qy,qz", [[time, 1.5, 0, 0, 1, 0, 0, 0] for time in times])
    header = "camera,frame_index,id,class,x1,y1,x2,y2,visible_share"
    _csv(folder / "objects.csv", header, [["A", number, 7, "car", 10, 10, 30, 30, 0.5] for number in range(4)])
    header = "timestamp_ns,id,class,x,y,z,length,width,height,yaw,speed_mps"
    _csv(folder / "objects3d.csv", header, [[time, 7, "car", 20, 1, 0.8, 4.5, 1.8, 1.5, 0.1, 5] for time in times])
    return folder


def _frames(folder: Path) -> Path:
    seen = {"class": "car", "box_xyxy": [10, 10, 30, 30], "center_in_vehicle_m": [20, 1, 0.8], "instance": "a"}
    seen |= {"size_lwh_m": [4.5, 1.8, 1.5], "yaw_in_vehicle_rad": 0.1}
    frames = []
    for number in range(3):
        write_image(folder / f"{number}.png", numbered_image(number))
        camera = {"image": f"{number}.png", "timestamp": 1.7e9 + number / 2, "width": 96, "height": 64}
        camera |= {"intrinsics": _INTRINSICS, "vehicle_from_camera": _AHEAD, "objects": [seen]}
        frames.append({"cameras": {"front": camera}, "world_from_vehicle": np.eye(4).tolist()})
    (folder / "frames.json").write_text(json.dumps({"road_height_m": 0.0, "frames": frames}))
    return folder


def _nuscenes(folder: Path) -> Path:
    tokens = [f"t{number}" for number in range(3)]
    pose = {"translation": [100.0, 200.0, 0.0], "rotation": [1, 0, 0, 0]}
    tables: dict[str, list[dict[str, Any]]] = {
        "scene": [{"token": "s", "name": "scene-1"}],
        "sample": [
            {"token": token, "scene_token": "s", "timestamp": 1_500_000_000_000_000 + 500_000 * number}
            for number, token in enumerate(tokens)
        ],
        "sample_data": [
            {
                **{"token": token, "sample_token": token, "ego_pose_token": token, "calibrated_sensor_token": "c"},
                **{"timestamp": 1_500_000_000_000_000 + 500_000 * number, "is_key_frame": True},
                **{"filename": f"samples/{number}.jpg", "width": 96, "height": 64},
            }
            for number, token in enumerate(tokens)
        ],
        "ego_pose": [{"token": token, **pose} for token in tokens],
        "sensor": [{"token": "e", "channel": "CAM_FRONT", "modality": "camera"}],
        "calibrated_sensor": [
            {
                **{"token": "c", "sensor_token": "e", "translation": [1.7, 0, 1.5]},
                **{"rotation": [0.5, -0.5, 0.5, -0.5], "camera_intrinsic": _INTRINSICS},
            }
        ],
        "category": [{"token": "k", "name": "vehicle.car"}],
        "instance": [{"token": "i", "category_token": "k"}],
        "sample_annotation": [
            {
                **{"sample_token": token, "instance_token": "i", "visibility_token": "2"},
                **{"translation": [120.0, 201.0, 0.8], "size": [1.8, 4.5, 1.5], "rotation": [1, 0, 0, 0]},
            }
            for token in tokens
        ],
    }
    (folder / "v1.0-mini").mkdir(parents=True)
    for name, rows in tables.items():
        (folder / "v1.0-mini" / f"{name}.json").write_text(json.dumps(rows))
    for number in range(3):
        write_image(folder / "samples" / f"{number}.jpg", numbered_image(number))
    return folder


def _odometry(folder: Path) -> Path:
    for number in range(3):
        write_image(folder / "image_0" / f"{number:06d}.png", numbered_image(number))
    (folder / "calib.txt").write_text(f"P0: {_PROJECTION}\n")
    (folder / "times.txt").write_text("0.0\n0.1\n0.2\n")
    (folder / "poses.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n" * 3)
    return folder


def _csv(path: Path, header: str, rows: list[list[object]]) -> None:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")


# ---------------------------------------------------------------------------------------------------------- pictures


def _pictures(root: Path) -> Iterator[Input]:
    for suffix in ("jpg", "png", "webp", "bmp", "tif", "ppm"):
        path = write_image(root / "pictures" / f"picture.{suffix}", numbered_image(3))
        yield Input(f"picture {suffix}", (path,), (_of(read_rgb, path), _of(read_header, path)))


def _of(read: Callable[..., object], path: Path, *arguments: Any, **named: Any) -> Step:
    return lambda: read(path, *arguments, **named)


# ------------------------------------------------------------------------------------------------------- predictions


def _predictions(root: Path) -> Iterator[Input]:
    folder, table = root / "predictions", true_table(3)[:30]
    folder.mkdir()
    write_mot_truth(folder / "truth", table)
    found = tracks_of(table, 4)
    written = {
        "tracks.txt": mot_text(found, columns=9),
        "others.csv": mot_text(found, columns=10),
        "kitti.txt": kitti_tracking_text(found),
        "results.json": json.dumps(_own_detections(found)),
        "forecasts.csv": f"{','.join(NUMBERS)},class\n"
        + "".join(f"1,3,10,10,30,30,0,1,{step},20,20,car\n" for step in (0.2, 0.4)),
    }
    for name, text in written.items():
        (folder / name).write_text(text)
    write_cvat(folder / "cvat.xml", found, name="truth", size_px=(400, 400), frame_count=12)
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        yield Input(f"predictions {path.name}", (path,), (_of(_evaluated, path, folder / "truth"),))
    yield Input("boxes of others", (folder / "tracks.txt",), (_of(read_mot_boxes, folder / "tracks.txt", camera="A"),))
    coco = write_coco_truth(root / "coco" / "truth.json", table)
    yield Input("COCO truth", (coco,), (_of(read_pictures, coco),))
    yolo = write_yolo_truth(root / "yolo", table)
    yield Input("YOLO truth", tuple(sorted(yolo.rglob("*.txt")))[:3], (_of(read_pictures, yolo),))
    run = _run(root / "run")
    files = tuple(sorted(path for path in run.iterdir() if path.is_file()))
    steps = (_of(read_results, run), _of(need_run_source, run), _of(read_run_rate, run))
    yield Input("run folder", files, steps)


def _own_detections(table: BoxTable) -> list[dict[str, object]]:
    return [
        {"image_id": frame, "category_id": label + 1, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score}
        for frame, label, (x1, y1, x2, y2), score in zip(
            *(column.tolist() for column in (table.frame_indices, table.labels, table.boxes_xyxy_px, table.scores)),
            strict=True,
        )
    ]


def _evaluated(path: Path, truth: Path) -> None:
    (dataset,) = find_recordings(truth)
    known = read_recording(dataset)
    predicted_run(find_format(path).read(path, known.pictures), known)


def _run(folder: Path) -> Path:
    folder.mkdir()
    track = {"id": 3, "camera": "front", "class": "car", "box_xyxy_px": [10.0, 10.0, 30.0, 30.0], "unseen_s": 0.0}
    track |= {"image_size_px": [96, 64], "probabilities": [0.6, 0.4], "axis_rad": 0.1, "position_m": [20.0, 1.0]}
    track |= {"means": [[[20.0, 1.0], [21.0, 1.0]]] * 2, "stds": [[[0.5, 0.5], [0.6, 0.6]]] * 2, "heading_rad": 0.1}
    line = {"dt_s": 0.2, "reference_frame": "ground", "cameras": ["front"], "tracks": [track]}
    lines = [{**line, "index": number, "timestamp_ns": number * 10**8} for number in range(3)]
    (folder / "forecasts.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    (folder / "tracks.txt").write_text("1,3,10,10,20,20,0.9,1,1\n2,3,10,10,20,20,0.9,1,1\n")
    box = {"image_id": 0, "category_id": 3, "bbox": [10, 10, 20, 20], "score": 0.9}
    (folder / "detections.json").write_text(json.dumps([box, box]))
    (folder / "timing.json").write_text(json.dumps({"stage_ms": {"detection": [1.0, 2.0, 3.0]}}))
    header = "timestamp_ns,id,class,x,y,z,length,width,height,yaw,speed_mps,score"
    (folder / "tracks3d.csv").write_text(header + "\n0,3,car,20,1,0.8,4.5,1.8,1.5,0.1,5,0.9\n")
    (folder / "run.yaml").write_text(yaml.safe_dump({"config": {"source": ["drive"], "fps": 10.0}}))
    return folder


# ---------------------------------------------------------------------------------------------------------- training


def _training(root: Path) -> Iterator[Input]:
    yolo = write_yolo_folder(root / "own-yolo", images=1)
    files = (yolo, *sorted(yolo.parent.rglob("*.txt")))
    yield Input("own data, YOLO", files, (lambda: read_own_data(yolo).images("train", scale=(1.0, 1.0), weight=1.0),))
    coco = write_coco_folder(root / "own-coco")
    files = (coco, *sorted(coco.parent.rglob("*.json")))
    annotations = coco.parent / "annotations" / "instances_train.json"
    steps = (
        lambda: read_own_data(coco).images("train", scale=(1.0, 1.0), weight=1.0),
        _of(read_coco_file, annotations),
    )
    yield Input("own data, COCO", files, steps)
    labels = root / "pseudo.jsonl"
    labels.write_text('{"image": "a.png", "objects": [[1, 2, 3, 4, 0.5, 0]]}\n' * 2)
    yield Input("pseudo-labels", (labels,), (_of(read_pseudo_labels, labels),))
    cache = root / "tracks.npz"
    write_track_cache(cache, make_track_set([np.ones((6, 4))], [0]))
    yield Input("track cache", (cache,), (_of(read_track_cache, cache),))
    for kind, name in ((DetectorTraining, "train-detector"), (ForecasterTraining, "train-forecaster")):
        path = root / f"{name}.yaml"
        path.write_bytes((ROOT / "configs" / f"{name}.yaml").read_bytes())
        yield Input(f"{name}.yaml", (path,), (_of(lambda path, kind=kind: read_training_config(kind, path, {}), path),))


# ---------------------------------------------------------------------------------------------------------- settings


def _settings(root: Path) -> Iterator[Input]:
    config = root / "config.yaml"
    config.write_text("source: drive\nconf: 0.3\nclasses: [car, bus]\nfps: 10\nimgsz: 640\nsave: false\n")
    yield Input("configuration", (config,), (lambda: load_config(RunConfig, path=config, options={}),))
    tracker = root / "tracker.yaml"
    tracker.write_text("max_unseen_s: 2\nconfirm_s: 0.3\n")
    yield Input("tracker settings", (tracker,), (_of(_tracker_settings, tracker),))
    rig = root / "rig.yaml"
    rig.write_bytes((ROOT / "configs" / "rigs" / "front.yaml").read_bytes())
    yield Input("rig", (rig,), (_of(read_rig, rig),))
    classes = root / "classes.yaml"
    classes.write_text("names: [forklift, person]\nclass_map: {forklift: truck, person: pedestrian}\n")
    yield Input("class map", (classes,), (_of(read_class_map, classes),))
    card = root / "card.yaml"
    card.write_bytes((ROOT / "data" / "weights" / "roadnet.yaml").read_bytes())
    yield Input("model card", (card,), (_of(read_card, card),))


class _Detector:
    """As much of a detector as settings look at."""

    name, is_calibrated, feature_size, feature_space = "any", True, 64, "any"


def _tracker_settings(path: Path) -> None:
    file = SettingsFile.read(path)
    for kind in (TrackerSettings, GroundSettings):
        file.settings(kind, _Detector(), detect_interval=1)  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------------------- weights


def _weights(root: Path) -> Iterator[Input]:
    gru = root / "gru.safetensors"
    save_gru(TrajectoryGRU(GruConfig(hidden_size=8, input_size=8, feature_size=4, interaction_dim=4)), gru)
    steps = (_of(read_gru, gru), _of(weights_kind, gru), _of(read_config, gru, kind="forecaster"))
    yield Input("forecaster weights", (gru,), steps)
    roadnet = root / "roadnet.safetensors"
    save_roadnet(lively_roadnet(), roadnet)
    steps = (_of(read_roadnet, roadnet), _of(read_weights, roadnet, kind="detector"))
    yield Input("detector weights", (roadnet,), steps)
    plain = root / "plain.pth"
    torch.save({"weight": torch.ones(3, 2)}, plain)
    yield Input("PyTorch tensors", (plain,), (_of(read_plain_state, plain),))


# ---------------------------------------------------------------------------------------------------------- breaking

_WORDS = (
    *("1e308", "-1e308", "1e999", "NaN", "nan", "-Infinity", ".inf", "-.nan", "9" * 5000, "-9223372036854775808"),
    *("9223372036854775807", "99999999999999999999", "18446744073709551616", "0", "-1", "-0.0", "1e-320", "0x1F"),
    *("null", "true", "~", "[]", "{}", '""', "[[[]]]", "{a: 1}", "!!int x", "!!timestamp x", "!!binary =", "*a", "1_0"),
    *("9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "2024-13-45", "\\ud800", "\ud800", "\0", "é" * 300),
    *("../../etc/passwd", "/dev/zero", "/", ".", "", " ", ",", "\t", "\r", "'", '"', ":", "#", "%s", "${HOME}"),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2, 1.5, -0.0, 1e308, -1e308, 1e-320, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**64),
    *(10**60, "", " ", "x", "nan", "1e308", "\ud800", "\0", "../..", "/dev/zero", "9999-12-31T23:59:59Z", "é" * 300),
    *([], [[]], [None], [1, 2], ["a"], [[1], [2, 3]], [1e308] * 4, {}, {"a": 1}, {"": {}}, [[[[[[[]]]]]]]),
)


def broken(content: bytes, chance: random.Random) -> bytes:
    """``content`` with one to three faults: other bytes, words or values, parts that are cut out, doubled or moved."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        content = chance.choice(_FAULTS)(content, chance)
    return content


def _flipped(content: bytes, chance: random.Random) -> bytes:
    data = bytearray(content or b"\0")
    for _ in range(chance.choice((1, 2, 8))):
        # Headers decide most.
        position = chance.randrange(min(len(data), chance.choice((64, 1024, len(data)))))
        data[position] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, data[position] ^ 1 << chance.randrange(8)))
    return bytes(data)


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _without_part(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content) + 1)
    return content[:start] + content[start + chance.choice((1, 4, 32, 256)) :]


def _doubled(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content) + 1)
    part = content[start : start + chance.choice((1, 8, 64))]
    return content[:start] + part * chance.choice((2, 3, 200)) + content[start:]


def _other_word(content: bytes, chance: random.Random) -> bytes:
    """One number or word of a text is another one."""
    text = content.decode("latin-1")
    words = list(re.finditer(r"[\w.+-]+", text, re.ASCII))
    if not words:
        return _flipped(content, chance)
    replaced = chance.choice(words)
    word = chance.choice(_WORDS).encode("utf-8", "surrogatepass")
    return content[: replaced.start()] + word + content[replaced.end() :]


def _other_value(content: bytes, chance: random.Random) -> bytes:
    """A value somewhere in JSON, YAML or the header of safetensors is another one, is missing, or is there twice."""
    if content[8:9] == b"{" and (size := int.from_bytes(content[:8], "little")) < len(content):
        header = _other_value(content[8 : 8 + size], chance)
        return len(header).to_bytes(8, "little") + header + content[8 + size :]
    for load, dump in (
        (_json_lines, lambda rows: "\n".join(map(json.dumps, rows)) if isinstance(rows, list) else json.dumps(rows)),
        (json.loads, json.dumps),
        (yaml.safe_load, lambda value: yaml.dump(value, allow_unicode=False)),
    ):
        try:
            value = load(content.decode())
        except Exception:
            continue
        if isinstance(value, (dict, list)):
            return str(dump(_replaced(value, chance))).encode("utf-8", "surrogatepass")
    return _other_word(content, chance)


def _json_lines(text: str) -> list[Any]:
    rows = [json.loads(line) for line in text.splitlines()]
    if len(rows) < 2:
        raise ValueError("it is one value")
    return rows


def _replaced(value: Any, chance: random.Random) -> Any:
    if not isinstance(value, (dict, list)) or not value or chance.random() < 0.1:
        if isinstance(value, str) and value.startswith("{"):  # a configuration within a header
            return json.dumps(_replaced(json.loads(value), chance))
        return chance.choice(_VALUES)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = chance.choice(keys)
    kind = chance.random()
    if isinstance(value, dict):
        if kind < 0.1:
            return {other: part for other, part in value.items() if other != key}
        if kind < 0.15:
            return {**value, chance.choice(("x", "", "\ud800", "a" * 300)): value[key]}
        return {**value, key: _replaced(value[key], chance)}
    if kind < 0.1:
        return value[:key] + value[key + 1 :]
    if kind < 0.2:
        return value[:key] + [value[key]] * 2 + value[key + 1 :]
    return [*value[:key], _replaced(value[key], chance), *value[key + 1 :]]


def _nested(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content) + 1)
    opening = chance.choice((b"[", b"{", b'{"a":', b"- ", b"<a>", b"? ", b"'"))
    return content[:start] + opening * chance.choice((50, 2000, 50_000)) + content[start:]


_FAULTS = (_flipped, _cut, _without_part, _doubled, _nested, *[_other_word] * 2, *[_other_value] * 3)
