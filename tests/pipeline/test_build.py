"""What is chosen, and on what machine."""

from pathlib import Path

import pytest
import torch
from support.moving_boxes import BoxDetector

from perception.cpu import available_processors
from perception.errors import UsageError
from perception.pipeline.build import build_pipeline, choose_device
from perception.pipeline.config import RunConfig
from perception.tracking import TrackerSettings


def test_auto_is_a_gpu_where_there_is_one() -> None:
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu") == torch.device("cpu")


def test_a_gpu_that_is_not_there_is_an_error_that_names_the_option() -> None:
    with pytest.raises(UsageError, match=r"^device cuda:99: "):
        choose_device("cuda:99")
    with pytest.raises(UsageError, match=r"^device foo: there is no such device"):
        choose_device("foo")


@pytest.mark.parametrize(
    ("content", "expected"), [("100000 100000\n", 1), ("50000 100000\n", 1), ("max 100000\n", None), ("", None)]
)
def test_a_containers_quota_limits_the_processors(content: str, expected: int | None, tmp_path: Path) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(content)
    without_quota = available_processors(tmp_path / "none")
    assert available_processors(file) == (expected or without_quota)
    assert without_quota >= 1


@pytest.mark.shared
def test_a_named_detector_and_forecaster_are_taken_and_their_weights_reported(shared_dir: Path) -> None:
    teacher = shared_dir / "teachers" / "yolox_nano_coco_416.onnx"
    assembly = build_pipeline(RunConfig(detector=str(teacher), forecaster="constant-velocity", device="cpu"))
    assert assembly.pipeline.detector.name == teacher.stem
    assert assembly.weights == (teacher,)
    assert assembly.device == torch.device("cpu")
    named = [note.partition(":")[0] for note in assembly.notes]
    assert named == ["Detector", "Tracker", "Ego-motion", "Forecaster"]
    assert all(note.endswith(".") for note in assembly.notes)


def test_an_unknown_detector_or_forecaster_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"^detector yolo99: there is no such detector"):
        build_pipeline(RunConfig(detector="yolo99"))


def test_thresholds_of_the_tracker_suit_the_detectors_scores() -> None:
    """What RoadNet says is a chance; other detectors' scores are lower than that."""
    ours = TrackerSettings.for_detector(build_pipeline(RunConfig(device="cpu")).pipeline.detector)
    others = TrackerSettings.for_detector(BoxDetector())
    assert others == TrackerSettings()
    assert ours.spawn_score > others.spawn_score and ours.weak_score > others.weak_score
    assert (
        ours.model_copy(update={n: getattr(others, n) for n in ("strong_score", "weak_score", "spawn_score")}) == others
    )
