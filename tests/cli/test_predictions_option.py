"""``perception evaluate --predictions``: the files of other programs against truths of several formats."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import trackeval_oracle
from support.commands import Command
from support.prediction_cases import (
    coco_results,
    kitti_tracking_text,
    mot_text,
    tracks_of,
    true_table,
    write_coco_truth,
    write_kitti_objects,
    write_kitti_tracking,
    write_mot_truth,
    write_yolo_labels,
    write_yolo_truth,
)

from perception.types import BoxTable

_KITTI = "Car -1 -1 -10 1 2 3 4 -1 -1 -1 -1000 -1000 -1000 -10 0.5"


def report_in(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


def trackeval_scores(pairs: dict[str, tuple[BoxTable, BoxTable]]) -> dict[str, float]:
    """Of all classes and recordings together, each a sequence."""
    sequences = {}
    for name, (truth, tracks) in pairs.items():
        for label in np.unique(np.r_[truth.labels, tracks.labels]).tolist():
            sides = [table[table.labels == label] for table in (truth, tracks)]
            ours = [(side.frame_indices, side.ids, side.boxes_xyxy_px) for side in sides]
            sequences[f"{name}-{label}"] = trackeval_oracle.sequence(ours[0], ours[1], trackeval_oracle.box_similarity)
    return trackeval_oracle.scores_of(sequences)


def assert_equals_trackeval(overall: dict[str, Any], theirs: dict[str, float]) -> None:
    for ours, name in (
        *(("hota", "HOTA"), ("det_a", "DetA"), ("ass_a", "AssA"), ("idf1", "IDF1"), ("mota", "MOTA")),
        *(("id_switch_count", "IDSW"), ("false_positive_count", "CLR_FP"), ("false_negative_count", "CLR_FN")),
    ):
        assert overall[ours] == pytest.approx(theirs[name], abs=1e-6), ours


@pytest.mark.parametrize("columns", [8, 9])
def test_a_text_of_another_tracker_has_the_scores_of_trackeval(command: Command, tmp_path: Path, columns: int) -> None:
    truth = true_table(1)
    tracks = tracks_of(truth, 2)
    write_mot_truth(tmp_path / "seq", truth)
    (tmp_path / "theirs.txt").write_text(mot_text(tracks, columns=columns))
    ran = command("evaluate", "--predictions", "theirs.txt", "--truth", "seq", "--grouping", "each")
    assert ran.code == 0, ran.err
    report = report_in(ran.folder)
    assert_equals_trackeval(report["tracking"][0]["overall"], trackeval_scores({"seq": (truth, tracks)}))
    assert report["detection"] == [] and report["forecasting"] == [] and report["breakdown"] is None
    assert "Recognised as boxes as MOTChallenge's text: theirs.txt." in report["notes"]


@pytest.mark.parametrize("columns", [7, 10])
def test_boxes_without_a_class_are_of_the_only_class_of_the_truth(
    command: Command, tmp_path: Path, columns: int
) -> None:
    truth = true_table(1)
    cars = truth[truth.labels == 0]
    write_mot_truth(tmp_path / "seq", cars)
    (tmp_path / "theirs.txt").write_text(mot_text(cars, columns=columns))
    ran = command("evaluate", "--predictions", "theirs.txt", "--truth", "seq", "--grouping", "each")
    assert report_in(ran.folder)["tracking"][0]["per_class"]["car"]["hota"] == pytest.approx(1.0)


def test_a_folder_with_tracks_alone_is_measured_as_results(command: Command, tmp_path: Path) -> None:
    truth = true_table(1)
    write_mot_truth(tmp_path / "seq", truth)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "tracks.txt").write_text(mot_text(truth, columns=9))
    ran = command("evaluate", "--results", "theirs", "--truth", "seq")
    assert ran.code == 0, ran.err
    assert [part["overall"]["hota"] for part in report_in(ran.folder)["tracking"]] == pytest.approx([1.0, 1.0])


def test_several_recordings_have_a_row_each_a_total_and_a_spread(command: Command, tmp_path: Path) -> None:
    pairs = {}
    (tmp_path / "tracker" / "data").mkdir(parents=True)
    for number in range(3):
        truth = true_table(number)
        pairs[f"seq-{number}"] = truth, tracks_of(truth, 10 + number)
        write_mot_truth(tmp_path / "set" / f"seq-{number}", truth)
        text = mot_text(pairs[f"seq-{number}"][1], columns=9)
        (tmp_path / "tracker" / "data" / f"seq-{number}.txt").write_text(text)
    for predictions, truth_name in (("tracker", "set"), ("tracker/data/*.txt", "set/seq-*")):
        ran = command("evaluate", "--predictions", predictions, "--truth", truth_name, "--grouping", "each")
        assert ran.code == 0, ran.err
        report = report_in(ran.folder)
        assert_equals_trackeval(report["tracking"][0]["overall"], trackeval_scores(pairs))
        alone = [trackeval_scores({name: pair})["HOTA"] for name, pair in pairs.items()]
        assert [row["title"] for row in report["recordings"]] == list(pairs)
        assert [row["hota"] for row in report["recordings"]] == pytest.approx(alone, abs=1e-6)
        assert report["spread"]["hota"] == pytest.approx(np.std(alone, ddof=1), abs=1e-6)
        assert "together" in ran.out and "spread" in ran.out


def test_a_recording_without_predictions_is_named_before_the_work(command: Command, tmp_path: Path) -> None:
    for number in range(2):
        write_mot_truth(tmp_path / "set" / f"seq-{number}", true_table(number))
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "seq-0.txt").write_text(mot_text(true_table(0), columns=9))
    ran = command("evaluate", "--predictions", "theirs", "--truth", "set")
    assert ran.code == 2 and "seq-1" in ran.sentence
    (tmp_path / "theirs" / "seq-1.txt").write_text("")
    ran = command("evaluate", "--predictions", "theirs", "--truth", "set", "--grouping", "each")
    assert ran.code == 0, ran.err
    assert report_in(ran.folder)["recordings"][1]["hota"] == 0.0


def test_kitti_tracking_is_measured_without_pictures(command: Command, tmp_path: Path) -> None:
    pairs = {}
    for number in range(2):
        truth = true_table(number)
        pairs[f"000{number}"] = truth, tracks_of(truth, 20 + number)
    write_kitti_tracking(tmp_path / "kitti", {name: truth for name, (truth, _) in pairs.items()})
    (tmp_path / "theirs").mkdir()
    for name, (_, tracks) in pairs.items():
        (tmp_path / "theirs" / f"{name}.txt").write_text(kitti_tracking_text(tracks))
    ran = command("evaluate", "--predictions", "theirs", "--truth", "kitti", "--grouping", "each")
    assert ran.code == 0, ran.err
    assert_equals_trackeval(report_in(ran.folder)["tracking"][0]["overall"], trackeval_scores(pairs))
    perfect = command("evaluate", "--predictions", "kitti/label_02/0001.txt", "--truth", "kitti#0001")
    assert [part["overall"]["hota"] for part in report_in(perfect.folder)["tracking"]] == pytest.approx([1.0, 1.0])


@pytest.mark.shared
def test_kittis_own_labels_are_a_perfect_tracker_and_errors_cost_what_trackeval_says(
    command: Command, tmp_path: Path, shared_dir: Path
) -> None:
    from perception.sources.datasets.kitti_tracking import read_boxes

    kitti = shared_dir / "real" / "kitti_tracking"
    ran = command("evaluate", "--predictions", kitti / "label_02", "--truth", kitti, "--grouping", "each")
    assert ran.code == 0, ran.err
    overall = report_in(ran.folder)["tracking"][0]["overall"]
    names = ("hota", "det_a", "ass_a", "loc_a", "idf1", "idp", "idr", "mota", "motp")
    assert [overall[name] for name in names] == pytest.approx([1.0] * 9)
    pairs = {}
    for path in sorted((kitti / "label_02").glob("*.txt")):
        known = read_boxes(kitti, path.stem)
        assert known is not None
        truth = known.boxes
        # Missed, and with changed ids and shifted boxes; none falls into a region to ignore.
        tracks = truth[np.arange(len(truth)) % 7 > 0]
        ids = np.where(tracks.frame_indices > 50, tracks.ids + 1000, tracks.ids)
        tracks = tracks[ids >= 0]
        moved = tracks.boxes_xyxy_px + np.arange(len(tracks))[:, None] % 3
        tracks = type(tracks)(**{**tracks.__dict__, "ids": ids, "boxes_xyxy_px": moved})
        pairs[path.stem] = truth, tracks
        (tmp_path / f"{path.stem}.txt").write_text(kitti_tracking_text(tracks))
    ran = command("evaluate", "--predictions", tmp_path, "--truth", kitti, "--grouping", "each")
    assert ran.code == 0, ran.err
    assert_equals_trackeval(report_in(ran.folder)["tracking"][0]["overall"], trackeval_scores(pairs))


def average_precisions(path: Path, truth: Path, results: list[dict[str, object]]) -> dict[int, float]:
    """Of each category by pycocotools."""
    coco = pytest.importorskip("pycocotools.coco").COCO
    evaluator = pytest.importorskip("pycocotools.cocoeval").COCOeval
    content = json.loads(truth.read_text())
    for annotation in content["annotations"]:
        annotation.update(area=annotation["bbox"][2] * annotation["bbox"][3], iscrowd=0)
    path.write_text(json.dumps(content))
    known = coco(str(path))
    evaluation = evaluator(known, known.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]
    return {number: float(precision[:, :, n].mean()) for n, number in enumerate(evaluation.params.catIds)}


def test_results_for_a_coco_file_have_the_precision_of_pycocotools(command: Command, tmp_path: Path) -> None:
    truth = true_table(1)
    results = coco_results(tracks_of(truth, 2))
    path = write_coco_truth(tmp_path / "truth.json", truth)
    (tmp_path / "theirs.json").write_text(json.dumps(results))
    ran = command("evaluate", "--predictions", "theirs.json", "--truth", "truth.json", "--grouping", "each")
    assert ran.code == 0, ran.err
    report = report_in(ran.folder)
    theirs = average_precisions(tmp_path / "full.json", path, results)
    for name, number in (("car", 3), ("truck", 8), ("pedestrian", 1)):
        assert report["detection"][0]["per_class"][name]["ap"] == pytest.approx(theirs[number], abs=1e-6)
    assert report["tracking"] == []


def test_yolo_and_kitti_objects_have_the_scores_of_the_same_boxes_in_coco(command: Command, tmp_path: Path) -> None:
    truth = true_table(1)
    found = tracks_of(truth, 2)
    inside = (found.boxes_xyxy_px > 0).all(axis=1)
    found = found[inside]
    write_coco_truth(tmp_path / "truth.json", truth)
    (tmp_path / "theirs.json").write_text(json.dumps(coco_results(found)))
    write_yolo_truth(tmp_path / "yolo", truth)
    write_yolo_labels(tmp_path / "yolo_results" / "labels", found, has_scores=True)
    write_kitti_objects(tmp_path / "kitti" / "label_2", truth, has_scores=False)
    write_kitti_objects(tmp_path / "kitti_results", found, has_scores=True)
    scores = []
    for predictions, known in (("theirs.json", "truth.json"), ("yolo_results", "yolo"), ("kitti_results", "kitti")):
        ran = command("evaluate", "--predictions", predictions, "--truth", known, "--grouping", "each")
        assert ran.code == 0, ran.err
        per_class = report_in(ran.folder)["detection"][0]["per_class"]
        scores.append({name: (part["ap"], part["recall"], part["truth_count"]) for name, part in per_class.items()})
    assert scores[1] == {name: pytest.approx(values, abs=1e-6) for name, values in scores[0].items()}
    assert scores[2] == {name: pytest.approx(values, abs=1e-6) for name, values in scores[0].items()}


def test_boxes_of_pictures_that_the_truth_does_not_have_are_counted(command: Command, tmp_path: Path) -> None:
    truth = true_table(1)
    write_coco_truth(tmp_path / "truth.json", truth)
    stray = [{"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "score": 0.5}] * 2
    count = len(truth) + 2
    (tmp_path / "theirs.json").write_text(json.dumps([*coco_results(truth), *stray]))
    ran = command("evaluate", "--predictions", "theirs.json", "--truth", "truth.json")
    assert f"2 of {count} boxes left out, of pictures that the truth does not have" in " ".join(
        report_in(ran.folder)["notes"]
    )
    (tmp_path / "lost.json").write_text(json.dumps(stray))
    ran = command("evaluate", "--predictions", "lost.json", "--truth", "truth.json")
    assert ran.code == 2 and "no box of 2" in ran.sentence


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.txt", "1,1,0,0,5,5,1\n1,2,3\n", "a.txt, line 2"),
        ("a.txt", "1,1,0,0,5,5,1,1\n1,2,0,0,-5,5,1,1\n", "a.txt, line 2: the box has a negative width"),
        ("a.txt", "1,1,0,0,5,5,1,1\n1,2,0,0,5,5,1,77\n", "a.txt, line 2: unknown class"),
        ("a.txt", "0,1,0,0,5,5,1,1\n", "a.txt, line 1: frames count from 1"),
        (
            "a.txt",
            "1,7,0,0,5,5,1,1\n1,8,0,0,5,5,1,1\n1,7,9,9,5,5,1,1\n",
            "line 3: id 7 is in this picture already, in line 1",
        ),
        ("a.txt", "1,7,0,0,5,five,1,1\n1,8,0,0,5,5,1,1\n", "a.txt, line 1: expected numbers"),
        ("a.txt", f"0 3 {_KITTI}\n1 3 {_KITTI}\n0 3 {_KITTI}\n", "line 3: id 3 is in this picture already, in line 1"),
        ("labels/seq_000001.txt", "0 0.5 0.5 0.1\n", "seq_000001.txt, line 1: expected 5 to 7 columns, got 4"),
        ("labels/seq_000001.txt", "0 0.5 0.5 0.1 x\n0 0.5 0.5 0.1 0.2\n", "seq_000001.txt, line 1: expected numbers"),
        ("labels/seq_000001.txt", "0 0.5 0.5 0.1 0.2\n0 50 50 10 10\n", "seq_000001.txt, line 2: a box in pixels"),
        ("labels/seq_000001.txt", "0.5 0.5 0.5 0.1 0.2\n", "seq_000001.txt, line 1: expected a whole number as class"),
        (
            "labels/seq_000001.txt",
            "0 0.5 0.5 0.1 0.2 1 4\n0 0.5 0.5 0.1 0.2 1 4\n",
            "seq_000001.txt, line 2: id 4 is in this picture already, in line 1",
        ),
        ("a.txt", "1,1,0,0,5,nan,1,1\n", "a.txt"),
        ("a.txt", "a note\n", "of no known format"),
        ("a.json", '[{"image_id": 1, "category_id": 1, "bbox": [1, 2], "score": 1}]', "record 0"),
        ("a.json", '{"a": 1}', "of no known format"),
        ("nowhere", None, "no such file"),
    ],
)
def test_a_wrong_file_is_one_sentence(
    command: Command, tmp_path: Path, name: str, content: str | None, fault: str
) -> None:
    write_mot_truth(tmp_path / "seq", true_table(1))
    if content is not None:
        path = tmp_path / "theirs" / name
        path.parent.mkdir(parents=True)
        path.write_text(content)
        if path.parent.name == "labels":
            (path.parents[1] / "data.yaml").write_text("names: [car]\n")
    place = "theirs" if name.startswith("labels") else f"theirs/{name}"
    ran = command("evaluate", "--predictions", place, "--truth", "seq")
    assert ran.code == 2 and fault in ran.sentence
    assert not (tmp_path / "runs").exists()


def test_one_file_for_several_recordings_is_one_sentence(command: Command, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_mot_truth(tmp_path / "truth" / name, true_table(1))
    (tmp_path / "all.txt").write_text("1,1,0,0,5,5,1,1\n")
    ran = command("evaluate", "--predictions", "all.txt", "--truth", "truth")
    assert ran.code == 2 and ran.sentence == (
        "all.txt: is one file, and the truth has 2 recordings; give a folder with a file for each, such as a.txt, "
        "or one of the recordings as --truth."
    )


def test_predictions_need_a_truth_and_stand_alone(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1,1,0,0,5,5,1,1\n")
    ran = command("evaluate", "--predictions", "a.txt")
    assert ran.code == 2 and "--truth" in ran.sentence
    ran = command("evaluate", "--predictions", "a.txt", "--results", "x")
    assert ran.code == 2 and "--predictions" in ran.sentence


def test_the_names_of_the_option_are_those_of_the_formats() -> None:
    from typing import get_args

    from perception.pipeline.config import PredictionFormatName
    from perception.results.formats.registry import FORMATS, SUBMISSION_FORMATS

    names = [*(one.name for one in FORMATS), *(one.name for one in SUBMISSION_FORMATS)]
    assert list(get_args(PredictionFormatName)) == names


def test_limits_hold_for_predictions_too(command: Command, tmp_path: Path) -> None:
    truth = true_table(1)
    write_mot_truth(tmp_path / "seq", truth)
    (tmp_path / "theirs.txt").write_text(mot_text(truth[truth.ids != truth.ids[0]], columns=9))
    asked = ("evaluate", "--predictions", "theirs.txt", "--truth", "seq")
    assert command(*asked, "--fail-under", "hota=0.1").code == 0
    fell_short = command(*asked, "--fail-under", "hota=0.999")
    assert fell_short.code == 1
    assert "The limits are not kept: hota" in fell_short.sentence


@pytest.mark.parametrize("option", [("--max-frames", "5"), ("--stride", "2"), ("--conf", "0.9")])
def test_options_of_a_run_are_refused_where_nothing_is_run(
    command: Command, tmp_path: Path, option: tuple[str, str]
) -> None:
    truth = true_table(1)
    write_mot_truth(tmp_path / "seq", truth)
    (tmp_path / "theirs.txt").write_text(mot_text(truth, columns=9))
    ran = command("evaluate", "--predictions", "theirs.txt", "--truth", "seq", *option)
    assert ran.code == 2
    assert f"{option[0]} {option[1]}: belongs to a run" in ran.sentence


def test_predictions_as_shares_of_the_image_are_refused(command: Command, tmp_path: Path) -> None:
    truth = true_table(1)
    write_mot_truth(tmp_path / "seq", truth)
    shares = replace(truth, boxes_xyxy_px=truth.boxes_xyxy_px / (truth.boxes_xyxy_px.max() + 1))
    (tmp_path / "theirs.txt").write_text(mot_text(shares, columns=9))
    ran = command("evaluate", "--predictions", "theirs.txt", "--truth", "seq")
    assert ran.code == 2
    assert "The boxes of the predictions all lie between 0 and 1" in ran.sentence


def test_predictions_of_a_part_are_told(command: Command, tmp_path: Path) -> None:
    truth = true_table(1)
    write_mot_truth(tmp_path / "seq", truth)
    count = int(truth.frame_indices.max()) + 1
    for name, end in (("part", count // 2), ("all", count)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "theirs.txt").write_text(mot_text(truth[truth.frame_indices < end], columns=9))
    # A folder with one file of any name is that file.
    part = command("evaluate", "--predictions", "part", "--truth", "seq")
    notes = " ".join(report_in(part.folder)["notes"])
    assert f"The predictions of seq end at frame {count // 2} of {count}" in notes
    whole = command("evaluate", "--predictions", "all", "--truth", "seq")
    assert "end at frame" not in " ".join(report_in(whole.folder)["notes"])
