"""``perception.evaluate_pipeline``: a pipeline of one's own, measured on a recording with ground truth."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import names_in
from support.moving_boxes import BoxDetector, box_pipeline, write_street, write_street_recording

import perception
from perception.errors import UsageError
from perception.runtime.evaluate import DEFAULT_EVAL_CONFIG, evaluate_images, read_ground_truth


def test_a_pipeline_is_measured_in_every_respect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = write_street_recording(tmp_path / "street")
    report = perception.evaluate_pipeline(box_pipeline(), recording, folder=tmp_path / "out")
    assert report.title == "street"
    assert report.detection[0].overall.ap50 == pytest.approx(1.0)
    assert report.tracking[0].overall.hota > 0.9
    assert [part.setting for part in report.forecasting] == ["tracked", "ground-truth tracks"]
    assert report.latency is not None
    assert names_in(tmp_path / "out") == ["detections.json", "forecasts.jsonl", "timing.json", "tracks.txt"]
    assert "".join(capsys.readouterr()) == "", "a library does not print"


def test_a_part_of_a_recording(tmp_path: Path) -> None:
    recording = write_street_recording(tmp_path / "street")
    report = perception.evaluate_pipeline(box_pipeline(), recording, stride=2, max_frames=5)
    assert report.detection[0].image_count == 5


def test_truth_may_lie_elsewhere(tmp_path: Path) -> None:
    recording = write_street_recording(tmp_path / "street")
    (tmp_path / "bare").mkdir()
    bare = write_street(tmp_path / "bare" / "drive.mp4")
    with pytest.raises(UsageError, match=r"drive\.mp4: has no ground truth"):
        perception.evaluate_pipeline(box_pipeline(), bare)
    assert read_ground_truth(bare) is None
    known = read_ground_truth(bare, elsewhere=recording)
    assert known is not None and len(known.boxes) == 48


def test_a_recording_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none"):
        perception.evaluate_pipeline(box_pipeline(), tmp_path / "none")


def test_images_without_labels_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "val.json"
    path.write_text('{"images": [], "annotations": [], "categories": []}')
    with pytest.raises(UsageError):
        evaluate_images(BoxDetector(), [path], eval_config=DEFAULT_EVAL_CONFIG)
