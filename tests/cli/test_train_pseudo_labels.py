"""``perception train pseudo-labels``: from a configuration and detectors' files to the file that a training reads."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from support.commands import Command
from support.moving_boxes import SIZE_PX, street_image, true_boxes_xyxy_px, write_street
from support.onnx_graphs import write_answers

from perception.training.detector.config import DetectorTraining
from perception.training.detector.pseudo_labels import PseudoLabelling, read_pseudo_labels
from perception.training.detector.task import load_data
from perception.training.engine.config import read_training_config

PERSON, CAR = 0, 2  # among COCO's 80
PERSON_BOX = (100.0, 10.0, 110.0, 40.0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pictures whose cars are labelled, one that is labelled for all classes, and a video of four frames."""
    root = tmp_path / "data"
    images, annotations = [], []
    for number in range(3):
        path = root / "coco" / "images" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), street_image(number)[..., ::-1])
        images.append({"id": number, "file_name": path.name, "width": SIZE_PX[0], "height": SIZE_PX[1]})
        for x1, y1, x2, y2 in true_boxes_xyxy_px(number).tolist():
            annotations.append({"image_id": number, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]})
    for image in images[:2]:
        image["exhaustive_for"] = ["car"]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "car"}]}
    (root / "coco" / "train.json").write_text(json.dumps(content))
    write_street(root / "clip.mp4", frames=4)
    return root


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "detector.yaml"
    train = [{"kind": "coco", "path": "coco/train.json"}, {"kind": "unlabelled", "path": "clip.mp4", "stride": 2}]
    validation = [{"kind": "coco", "path": "coco/train.json"}]
    path.write_text(yaml.safe_dump({"pseudo_labels": "pseudo.jsonl", "train": train, "validation": validation}))
    return path


def detector_file(path: Path, score: float) -> Path:
    """Finds a person and something over it that is no road user, wherever it looks."""
    boxes = np.array([PERSON_BOX] * 2) / np.tile(SIZE_PX, 2) * 64
    answers = {
        "labels": np.array([[PERSON, 60]], np.int64),
        "boxes": boxes[None],
        "scores": np.array([[score, 0.9]]),
    }
    shapes = {"boxes": ("n", 2, 4), "labels": ("n", 2), "scores": ("n", 2)}
    return write_answers(path, answers, image=("images", ("n", 3, 64, 64)), sizes_input="sizes", shapes=shapes)


def asked(config: Path, data: Path, *detectors: Path) -> list[object]:
    named = [word for detector in detectors for word in ("--detector", detector)]
    return ["train", "pseudo-labels", "--config", config, "--data", data, "--device", "cpu", *named]


def test_the_file_is_made_and_a_training_reads_it(command: Command, data: Path, config: Path, tmp_path: Path) -> None:
    strong, weak = detector_file(tmp_path / "strong.onnx", 0.8), detector_file(tmp_path / "weak.onnx", 0.4)
    ran = command(*asked(config, data, strong, weak))
    assert ran.code == 0, ran.err
    path = data / "pseudo.jsonl"
    assert ran.out.splitlines() == [str(path)] and "4/4 images" in ran.err
    found = read_pseudo_labels(path)
    assert list(found) == ["0.png", "1.png", "clip.mp4/clip/0", "clip.mp4/clip/2"]
    for rows in found.values():
        np.testing.assert_allclose(rows, [[*PERSON_BOX, 0.6, 5]], atol=0.02)
    training = read_training_config(DetectorTraining, config, {})
    labels = {image.name: image.labels.tolist() for image in load_data(training, data, []).train}
    assert labels["0.png"] == [0, 0, 5] and labels["2.png"] == [0, 0] and labels["clip.mp4/clip/0"] == [5]

    again = command(*asked(config, data, strong, weak))
    assert again.code == 1 and "exists already" in again.sentence and "--output" in again.sentence
    other = command(*asked(config, data, weak), "--output", tmp_path / "other.jsonl")
    assert other.code == 0, other.err
    np.testing.assert_allclose(read_pseudo_labels(tmp_path / "other.jsonl")["0.png"][0, 4], 0.4)


def test_after_a_stop_the_same_command_goes_on(
    command: Command, data: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = detector_file(tmp_path / "net.onnx", 0.8)
    label, calls = PseudoLabelling._label, []

    def stopped(self: PseudoLabelling, image: object) -> tuple[str, int]:
        calls.append(image)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return label(self, image)  # type: ignore[arg-type]

    monkeypatch.setattr(PseudoLabelling, "_label", stopped)
    ran = command(*asked(config, data, detector))
    assert ran.code == 130 and "the same command goes on" in ran.err
    assert not (data / "pseudo.jsonl").exists() and len(calls) == 3
    refused = command(*asked(config, data, detector_file(tmp_path / "other.onnx", 0.7)))
    assert refused.code == 2 and "pseudo.jsonl.partial: was begun with other detectors" in refused.sentence
    ran = command(*asked(config, data, detector))
    assert ran.code == 0, ran.err
    assert "2 images are done already; 2 are left" in ran.err and len(calls) == 5
    assert len(read_pseudo_labels(data / "pseudo.jsonl")) == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"--config": None}, "--config: give a configuration"),
        ({"--config": "none.yaml"}, "--config none.yaml: there is no such file"),
        ({"--data": "nowhere"}, "--data nowhere: there is no such folder"),
        ({"--detector": None}, "--detector: name at least one"),
        ({"--detector": "none.onnx"}, "none.onnx: there is no such file"),
        ({"--detector": "rodnet"}, "did you mean roadnet"),
        ({"--detector": "net.onnx@640"}, "--detector net.onnx@640: runs at a size of its own"),
        ({"pseudo_labels": None}, "--output: the configuration names no pseudo_labels"),
        ({"train": [{"kind": "unlabelled", "path": "none.mp4"}]}, "none.mp4"),
    ],
)
def test_wrong_use_is_one_sentence(
    command: Command, data: Path, config: Path, changes: dict[str, object], words: str
) -> None:
    detector_file(Path("net.onnx"), 0.8)
    keys = {key: value for key, value in changes.items() if not key.startswith("--")}
    config.write_text(yaml.safe_dump({**yaml.safe_load(config.read_text()), **keys}))
    options = {"--config": config, "--data": data, "--detector": "net.onnx", "--device": "cpu", **changes}
    given = [word for name, value in options.items() if name[:2] == "--" and value for word in (name, value)]
    ran = command("train", "pseudo-labels", *given)
    assert ran.code == 2 and words in ran.sentence, ran.err
    assert not list(data.glob("pseudo*"))
