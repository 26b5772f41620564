"""``perception evaluate --predictions`` of files that were made for nuScenes' tracking challenge."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import trackeval_oracle
from support.challenge_files import nuscenes_tables, write_nuscenes
from support.commands import Command

NAMES = ("car", "pedestrian", "truck")
Results = dict[str, list[dict[str, Any]]]


def perfect(tables: dict[str, list[dict[str, Any]]]) -> Results:
    """The annotations as a tracker would write them."""
    results: Results = {row["token"]: [] for row in tables["sample"]}
    for row in tables["sample_annotation"]:
        results[row["sample_token"]].append(
            {key: row[key] for key in ("sample_token", "translation", "size", "rotation")}
            | {"velocity": [0.0, float("nan")], "tracking_id": row["instance_token"], "tracking_score": 0.9}
            | {"tracking_name": NAMES[int(row["instance_token"][-1])]}
        )
    return results


def write_results(path: Path, results: Results) -> Path:
    path.write_text(json.dumps({"meta": {"use_camera": True}, "results": results}))
    return path


def tracking(folder: Path) -> dict[str, Any]:
    report = json.loads((folder / "report.json").read_text())
    assert report["tracking"] == [] and report["detection"] == [] and report["ground"]["forecasting"] == []
    found: dict[str, Any] = report["ground"]["tracking"][0]["overall"]
    return found


@pytest.mark.parametrize("truth", ["nuscenes", "nuscenes#scene-0061"])
def test_the_annotations_themselves_are_a_perfect_tracker(command: Command, tmp_path: Path, truth: str) -> None:
    tables = nuscenes_tables()
    write_nuscenes(tmp_path / "nuscenes", tables)
    results = perfect(tables)
    (tmp_path / "theirs.json").write_text(json.dumps({"meta": {}, "results": results}).replace("NaN", "0.0"))
    ran = command("evaluate", "--predictions", "theirs.json", "--truth", truth, "--grouping", "each")
    assert ran.code == 0, ran.err
    overall = tracking(ran.folder)
    assert (overall["hota"], overall["idf1"], overall["mota"]) == pytest.approx((1, 1, 1))
    report = json.loads((ran.folder / "report.json").read_text())
    assert len(report["recordings"]) == (2 if truth == "nuscenes" else 0)


def test_a_tracker_with_errors_has_the_scores_of_trackeval(command: Command, tmp_path: Path) -> None:
    tables = nuscenes_tables()
    write_nuscenes(tmp_path / "nuscenes", tables)
    rng = np.random.default_rng(0)
    results = perfect(tables)
    for number, boxes in enumerate(results.values()):
        for box in boxes:
            box["velocity"] = [0.0, 0.0]
            box["translation"] = (np.array(box["translation"]) + np.append(rng.normal(0, 1, 2), 0)).tolist()
            # Two change their identities half way.
            if number % 20 > 10 and box["tracking_id"][-1] in "02":
                box["tracking_id"] = f"{box['tracking_id'][:-1]}{2 - int(box['tracking_id'][-1])}"
        if number % 7 == 0:
            boxes.pop()
    write_results(tmp_path / "theirs.json", results)
    ran = command("evaluate", "--predictions", "theirs.json", "--truth", "nuscenes", "--grouping", "any")
    assert ran.code == 0, ran.err
    overall = tracking(ran.folder)
    sequences = {}
    for scene in range(2):
        order = {f"{scene}-{number}": number for number in range(20)}
        true = [row for row in tables["sample_annotation"] if row["sample_token"] in order]
        found = [box for token in order for box in results[token]]
        sides = []
        for rows, key in ((true, "instance_token"), (found, "tracking_id")):
            names = sorted({row[key] for row in rows})
            sides.append(
                (
                    np.array([order[row["sample_token"]] for row in rows]),
                    np.array([names.index(row[key]) for row in rows]),
                    np.array([row["translation"][:2] for row in rows]),
                )
            )
        sequences[str(scene)] = trackeval_oracle.sequence(*sides, trackeval_oracle.position_similarity)
    theirs = trackeval_oracle.scores_of(sequences)
    assert overall["truth_box_count"] == 120, "all objects are near and seen, as the test means them to be"
    for ours, name in (("hota", "HOTA"), ("idf1", "IDF1"), ("mota", "MOTA"), ("id_switch_count", "IDSW")):
        assert overall[ours] == pytest.approx(theirs[name], abs=1e-6), ours


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r["0-3"][1].update(tracking_id="i-0-0"), "sample 0-3 has the tracking_id i-0-0 twice"),
        (lambda r: r["0-3"][1].update(size=[0, 1, 1]), "sample 0-3, box 1: size must be positive"),
        (lambda r: r["0-3"][1].update(translation=[1, 2]), "box 1: translation is not 3 finite numbers"),
        (lambda r: r["0-3"][1].update(rotation=[2, 0, 0, 0]), "box 1: rotation has the length 2"),
        (lambda r: r["0-3"][1].update(tracking_score=1.5), "box 1: tracking_score is 1.5"),
        (lambda r: r["0-3"][1].pop("tracking_id"), "box 1: has no tracking_id"),
        (lambda r: r["0-3"][1].update(sample_token="0-4"), "box 1: states another sample_token, 0-4"),
        (lambda r: r.update({"0-3": r["0-3"] * 200}), "sample 0-3 has no list of at most 500 boxes"),
        (lambda r: r.update(unknown=[]), "the sample unknown is not in the tables of the truth"),
    ],
)
def test_a_wrong_file_is_one_sentence(
    command: Command, tmp_path: Path, change: Callable[[Results], object], said: str
) -> None:
    tables = nuscenes_tables()
    write_nuscenes(tmp_path / "nuscenes", tables)
    results = perfect(tables)
    for boxes in results.values():
        for box in boxes:
            box["velocity"] = [0.0, 0.0]
    change(results)
    write_results(tmp_path / "theirs.json", results)
    ran = command("evaluate", "--predictions", "theirs.json", "--truth", "nuscenes")
    assert ran.code == 2 and said in ran.sentence, ran.sentence


def test_classes_of_others_are_counted_and_left_out(command: Command, tmp_path: Path) -> None:
    tables = nuscenes_tables(scenes=1)
    write_nuscenes(tmp_path / "nuscenes", tables)
    results = perfect(tables)
    for boxes in results.values():
        for box in boxes:
            box["velocity"] = [0.0, 0.0]
        boxes[2]["tracking_name"] = "trailer"
    write_results(tmp_path / "theirs.json", results)
    ran = command("evaluate", "--predictions", "theirs.json", "--truth", "nuscenes")
    notes = " ".join(json.loads((ran.folder / "report.json").read_text())["notes"])
    assert "no road users here were left out: 20 trailer" in notes


def test_what_is_written_of_the_annotations_is_read_as_the_same(command: Command, tmp_path: Path) -> None:
    tables = nuscenes_tables()
    write_nuscenes(tmp_path / "nuscenes", tables)
    written = command("convert", "./nuscenes", "--to", "nuscenes-tracking", "--output", "out")
    assert written.code == 0, written.err
    results = json.loads((tmp_path / "out" / "nuscenes.json").read_text())["results"]
    assert set(results) == {row["token"] for row in tables["sample"]}
    for row in tables["sample_annotation"]:
        [box] = [one for one in results[row["sample_token"]] if one["tracking_id"] == row["instance_token"]]
        for name, tolerance in (("translation", 1e-3), ("size", 1e-4), ("rotation", 1e-6)):
            np.testing.assert_allclose(box[name], row[name], atol=tolerance)
        assert box["tracking_name"] == NAMES[int(row["instance_token"][-1])]
    speeds = [np.linalg.norm(box["velocity"]) for boxes in results.values() for box in boxes]
    assert min(speeds) > 0.4 and max(speeds) < 3.6
    ran = command("evaluate", "--predictions", "out", "--truth", "nuscenes", "--grouping", "each")
    assert tracking(ran.folder)["hota"] == pytest.approx(1)


def test_only_scenes_of_nuscenes_are_written_so(command: Command, tmp_path: Path) -> None:
    from support.prediction_cases import true_table, write_mot_truth

    write_mot_truth(tmp_path / "seq", true_table(1))
    ran = command("convert", "seq", "--to", "nuscenes-tracking", "--output", "out")
    assert ran.code == 2 and "is no scene of nuScenes" in ran.sentence and not (tmp_path / "out").exists()
