"""Public networks: the same boxes as an independent way of running each."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.detection_cases import CPU

from perception.detection import DetectionSettings, open_detector
from perception.detection.backends.onnx import OnnxDetector
from perception.types import Frame

pytestmark = pytest.mark.shared

# Long sides at which both ways resample alike.
NETWORKS = [
    ("picodet_s", "PicoDet", 416, {"size": 416}),
    ("nanodet_plus_m_onnx", "NanoDet-Plus", 448, {"size": 448}),
    ("nanodet_plus_m15", "NanoDet-Plus", 448, {"size": 448}),
    ("deimv2_femto", "DEIM", None, {}),
    ("rtmdet_nano_person", "RTMDet", 640, {"size": 640}),
]


def reference(folder: Path, options: dict[str, Any]) -> Any:
    """The detector of the folder's own program."""
    spec = importlib.util.spec_from_file_location(f"reference_{folder.name}", folder / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Detector(conf=0.25, **options)


@pytest.mark.parametrize(("name", "title", "size", "options"), NETWORKS)
def test_boxes_are_those_of_the_reference(
    shared_dir: Path, tmp_path: Path, name: str, title: str, size: int | None, options: dict[str, Any]
) -> None:
    folder = shared_dir / "teachers" / name
    (original,) = folder.glob("*.onnx")
    path = tmp_path / "network.onnx"
    path.symlink_to(original)
    detector = open_detector(str(path), DetectionSettings(confidence=0.3, image_size_px=size), device=CPU).detector
    assert isinstance(detector, OnnxDetector) and detector.layout.title == title
    of_reference, seen = reference(folder, options), 0
    for picture in sorted((shared_dir / "real" / "photos" / "images").iterdir())[:4]:
        image = np.ascontiguousarray(cv2.imread(str(picture))[..., ::-1])
        (found,) = detector.detect([Frame(image, "front", 0, 0)])
        boxes, scores, labels = of_reference(image)
        boxes = np.clip(boxes, 0, [*image.shape[1::-1]] * 2)
        for box, score, label in zip(found.boxes_xyxy_px, found.scores, found.labels, strict=True):
            same = (np.abs(boxes - box).max(axis=1) < 1) & (np.abs(scores - score) < 0.01) & (labels == label)
            assert same.sum() == 1
            seen += 1
        assert (scores > 0.31).sum() <= len(found)
    assert seen >= 4
