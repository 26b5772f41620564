"""One batch is as good as many, in any order, on any device."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from support.detection_cases import CPU, assert_same, detector_of, lively_roadnet, matched_share, random_frame

from perception.detection import DetectionSettings
from perception.detection.roadnet.detector import input_size
from perception.protocols import Detector
from perception.taxonomy import CLASSES

FRAMES = [random_frame(name, seed=seed) for seed, name in enumerate(["left", "front", "right"])]


def test_is_a_detector() -> None:
    detector = detector_of(lively_roadnet())
    assert isinstance(detector, Detector)
    assert detector.feature_size == 8
    assert detector.detect([]) == []


def test_a_batch_finds_what_single_images_do() -> None:
    detector = detector_of(lively_roadnet())
    together = detector.detect(FRAMES)
    for frame, found in zip(FRAMES, together, strict=True):
        assert_same(found, detector.detect([frame])[0])
        assert found.camera == frame.camera and found.image_size_px == frame.size_px
        assert found.feature_space == "test"


def test_frames_in_another_order_find_the_same() -> None:
    detector = detector_of(lively_roadnet())
    order = [2, 0, 1]
    for index, found in zip(order, detector.detect([FRAMES[i] for i in order]), strict=True):
        assert_same(found, detector.detect(FRAMES)[index])


def test_images_of_several_sizes_get_boxes_in_their_own_pixels() -> None:
    frames = [random_frame("wide", width=192, height=64), random_frame("tall", width=48, height=120)]
    for frame, found in zip(frames, detector_of(lively_roadnet()).detect(frames), strict=True):
        assert len(found) > 0
        width, height = frame.size_px
        assert (found.boxes_xyxy_px >= 0).all() and (found.boxes_xyxy_px <= [width, height, width, height]).all()
        assert found.boxes_xyxy_px[:, 2].max() > 0.5 * width and found.boxes_xyxy_px[:, 3].max() > 0.5 * height


@pytest.mark.parametrize(
    ("sizes_px", "long_side_px", "expected"),
    [
        ([(1920, 1080)], None, (896, 512)),  # reduced
        ([(640, 360)], None, (640, 384)),  # as it is
        ([(320, 240)], None, (640, 480)),  # magnified
        ([(320, 240), (800, 600)], None, (800, 608)),
        ([(640, 360), (1280, 720)], None, (896, 512)),  # one input for all cameras
        ([(640, 360)], 896, (896, 512)),
    ],
)
def test_the_input_is_of_the_images_size_within_bounds_where_nothing_is_asked_for(
    sizes_px: list[tuple[int, int]], long_side_px: int | None, expected: tuple[int, int]
) -> None:
    assert input_size(sizes_px, long_side_px) == expected


def test_a_feature_is_the_embedding_at_the_objects_grid_point() -> None:
    model = lively_roadnet()
    found = detector_of(copy.deepcopy(model)).detect(FRAMES[:1])[0]
    with torch.no_grad():
        inputs = torch.from_numpy(FRAMES[0].image[None]).permute(0, 3, 1, 2).float() / 127.5 - 1
        output = model(inputs)
    scores = output.class_logits[0].sigmoid().max(dim=1).values
    position = int((scores - float(found.scores[0])).abs().argmin())
    np.testing.assert_allclose(found.features[0], output.embeddings[0, position].numpy(), atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(found.features, axis=1), 1, atol=1e-4)


def test_classes_are_filtered() -> None:
    settings = DetectionSettings(confidence=0.3, image_size_px=96, classes=("bus", "pedestrian"))
    found = detector_of(lively_roadnet(), settings=settings).detect(FRAMES)
    labels = {CLASSES[label] for detections in found for label in detections.labels}
    assert labels == {"bus", "pedestrian"}


def test_half_precision_finds_nearly_the_same() -> None:
    model = lively_roadnet()
    full = detector_of(copy.deepcopy(model)).detect(FRAMES)
    half = detector_of(model, half=True).detect(FRAMES)
    shares = [matched_share(first, second, iou=0.8) for first, second in zip(full, half, strict=True)]
    assert min(shares) > 0.7
    assert half[0].scores.dtype == np.float32
    assert not np.array_equal(full[0].scores[:5], half[0].scores[:5])


@pytest.mark.gpu
@pytest.mark.parametrize("half", [False, True])
def test_a_gpu_finds_what_the_cpu_does(half: bool) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    model = lively_roadnet()
    on_cpu = detector_of(copy.deepcopy(model), device=CPU).detect(FRAMES)
    on_gpu = detector_of(model, device=torch.device("cuda"), half=half).detect(FRAMES)
    for first, second in zip(on_cpu, on_gpu, strict=True):
        assert matched_share(first, second, iou=0.8 if half else 0.9) > (0.8 if half else 0.95)
