"""The car's own bonnet is left out, and no road user is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.detection_cases import detector_of, lively_roadnet, random_frame

from perception.detection import RoadNetDetector
from perception.detection.own_vehicle import is_own_bonnet
from perception.detection.roadnet.engines import DenseOutputs
from perception.taxonomy import CLASSES

SIZE_PX = (1280, 720)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((40, 520, 1240, 720), True),  # a bonnet from side to side
        ((300, 560, 1000, 719), True),
        ((40, 180, 1240, 720), False),  # a lorry that fills the picture
        ((40, 300, 1240, 500), False),  # a bus that crosses in front
        ((0, 480, 500, 720), False),  # a car beside the camera
        ((700, 650, 760, 720), False),
    ],
)
def test_it_is_wide_low_and_at_the_bottom(box: tuple[int, int, int, int], expected: bool) -> None:
    boxes = np.array([box, box], np.float32) * [[1.0], [0.5]]  # the same in a picture of half the size
    sizes_px = np.array([SIZE_PX, (640, 360)])
    assert is_own_bonnet(boxes, sizes_px).tolist() == [expected, expected]


def test_no_box_is_no_bonnet() -> None:
    assert is_own_bonnet(np.zeros((0, 4), np.float32), np.zeros((0, 2), np.int64)).shape == (0,)


def test_the_detector_leaves_it_out_and_keeps_what_belongs_to_the_others() -> None:
    detector: RoadNetDetector = detector_of(lively_roadnet())
    frames = [random_frame("left", width=96, height=64), random_frame("front", seed=1, width=96, height=64)]
    scores = torch.zeros(2, 3, len(CLASSES))
    scores[:, :, 0] = torch.tensor([0.9, 0.8, 0.7])
    boxes = torch.tensor([[2.0, 44, 94, 64], [10, 10, 30, 30], [50, 10, 80, 40]]).expand(2, 3, 4)
    embeddings = torch.nn.functional.normalize(torch.randn(2, 3, 8), dim=2)
    found = detector.finish(DenseOutputs(scores, boxes, embeddings), detector.prepare(frames), frames)
    assert [detections.camera for detections in found] == ["left", "front"]
    for index, detections in enumerate(found):
        np.testing.assert_allclose(detections.scores, [0.8, 0.7])
        np.testing.assert_allclose(detections.features, embeddings[index, 1:].numpy())
        assert len(detections.boxes_xyxy_px) == len(detections.labels) == 2
