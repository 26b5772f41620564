"""``perception.evaluate_pipeline``: a pipeline of one's own, measured on a recording with ground truth."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import names_in
from support.moving_boxes import BoxDetector, box_pipeline, true_boxes_xyxy_px, write_street, write_street_recording

import perception
from perception.errors import UsageError
from perception.evaluation.runs.truth import need_ground_truth, read_ground_truth
from perception.runtime.evaluate import DEFAULT_EVAL_CONFIG, evaluate_images


def test_a_pipeline_is_measured_in_every_respect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = write_street_recording(tmp_path / "street")
    report = perception.evaluate_pipeline(box_pipeline(), recording, folder=tmp_path / "out")
    assert report.title == "street"
    assert report.detection[0].overall.ap50 == pytest.approx(1.0)
    assert report.tracking[0].overall.hota > 0.9
    assert [part.setting for part in report.forecasting] == ["tracked", "ground-truth tracks"]
    assert report.latency is not None
    assert names_in(tmp_path / "out") == [
        "detections.json",
        "forecasts.jsonl",
        "labels.txt",
        "timing.json",
        "tracks.txt",
    ]
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


def write_mot_street(folder: Path, rest: str = ",1,1") -> Path:
    """The street as a MOTChallenge folder; the box that drives to the left is not to be counted."""
    folder.mkdir(parents=True)
    write_street(folder / "drive.mp4")
    (folder / "seqinfo.ini").write_text("[Sequence]\nframeRate=10\nseqLength=24\n")
    lines = [
        f"{number + 1},{identity},{x1},{y1},{x2 - x1},{y2 - y1},{int(identity == 1)}{rest}"
        for number in range(24)
        for identity, (x1, y1, x2, y2) in enumerate(true_boxes_xyxy_px(number).tolist(), start=1)
    ]
    (folder / "gt.txt").write_text("\n".join(lines))
    return folder


def test_what_is_not_to_be_counted_counts_neither_way(tmp_path: Path) -> None:
    folder = write_mot_street(tmp_path / "street")
    report = perception.evaluate_pipeline(box_pipeline(), folder)
    for detection in report.detection:
        scores = detection.overall
        assert (scores.truth_count, scores.true_positive_count, scores.false_positive_count) == (24, 24, 0)
        assert scores.ap == pytest.approx(1.0)
    assert {part.overall.false_positive_count for part in report.tracking} == {0}
    assert report.breakdown is not None and report.breakdown.overall.object_count == 24
    (folder / "gt.txt").write_text((folder / "gt.txt").read_text().splitlines()[0])
    bare = perception.evaluate_pipeline(box_pipeline(), folder)
    assert bare.detection[0].overall.false_positive_count == 47


def test_truth_without_classes_counts_all_as_one(tmp_path: Path) -> None:
    folder = write_mot_street(tmp_path / "street", rest="")
    report = perception.evaluate_pipeline(box_pipeline(), folder)
    assert [part.grouping for part in report.detection] == [part.grouping for part in report.tracking] == ["any"]
    assert report.detection[0].overall.ap == pytest.approx(1.0)
    assert report.breakdown is not None and "class" not in report.breakdown.factors
    assert any("says nothing of classes" in note for note in report.notes)
    assert read_ground_truth(folder, classes=["car"]) is None
    with pytest.raises(UsageError, match="says which objects are of the wanted"):
        need_ground_truth(folder, classes=["car"])


def test_only_the_wanted_classes_are_true(tmp_path: Path) -> None:
    recording = write_street_recording(tmp_path / "street")
    table = recording / "objects.csv"
    table.write_text(table.read_text().replace(",7,car", ",7,bus"))
    known = read_ground_truth(recording, classes=["bus", "truck"])
    assert known is not None and set(known.boxes.ids.tolist()) == {7}


def test_true_boxes_outside_the_recording_are_told(tmp_path: Path) -> None:
    recording, other = write_street_recording(tmp_path / "street"), write_street_recording(tmp_path / "other")
    (other / "rear.mp4").write_bytes((other / "drive.mp4").read_bytes())
    (other / "recording.yaml").write_text("cameras: {front: {video: drive.mp4}, rear: {video: rear.mp4}}\n")
    rows = "rear,0,7,car,10,20,34,36\nfront,1,9,car,500,20,534,36\n"
    (other / "objects.csv").write_text((other / "objects.csv").read_text() + rows)
    report = perception.evaluate_pipeline(box_pipeline(), recording, truth=other)
    assert any("of the true boxes of front (1) have their centre outside" in note for note in report.notes)
    assert "1 of 50 true boxes lie in frames that the recording does not have." in report.notes


def test_a_recording_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none"):
        perception.evaluate_pipeline(box_pipeline(), tmp_path / "none")


def test_images_without_labels_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "val.json"
    path.write_text('{"images": [], "annotations": [], "categories": []}')
    with pytest.raises(UsageError):
        evaluate_images(BoxDetector(), [path], eval_config=DEFAULT_EVAL_CONFIG)
