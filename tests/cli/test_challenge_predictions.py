"""``perception evaluate --predictions`` of files that were made for nuScenes' and Argoverse 2's challenges."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.challenge_files import (
    argoverse_rows,
    nuscenes_entries,
    nuscenes_tables,
    scenario_columns,
    scenario_future,
    true_path,
    write_nuscenes,
    write_scenario,
    write_submission,
)
from support.commands import Command


def challenges(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "report.json").read_text())["challenges"]
    return found


def notes(folder: Path) -> str:
    return " ".join(json.loads((folder / "report.json").read_text())["notes"])


def distances(path: Any, future: np.ndarray) -> np.ndarray:
    return np.sqrt(((np.asarray(path) - future) ** 2).sum(axis=1))


def test_a_file_for_nuscenes_has_the_figures_of_its_definitions(command: Command, tmp_path: Path) -> None:
    tables = nuscenes_tables()
    write_nuscenes(tmp_path / "nuscenes", tables)
    entries = nuscenes_entries(tables)
    (tmp_path / "theirs.json").write_text(json.dumps(entries))
    ran = command("evaluate", "--predictions", "theirs.json", "--truth", "nuscenes")
    assert ran.code == 0, ran.err
    [report] = challenges(ran.folder)
    assert (report["target_count"], report["recording_count"], report["horizon_s"]) == (24, 2, 6)
    for scores in report["top_k"]:
        likely = [
            [
                distances(entry["prediction"][mode], true_path(tables, entry["sample"], entry["instance"]))
                for mode in sorted(range(len(entry["probabilities"])), key=lambda m: -entry["probabilities"][m])
            ][: scores["k"]]
            for entry in entries
        ]
        assert scores["min_ade_m"] == pytest.approx(np.mean([min(d.mean() for d in one) for one in likely]), abs=1e-6)
        assert scores["min_fde_m"] == pytest.approx(np.mean([min(d[-1] for d in one) for one in likely]), abs=1e-6)
        missed = np.mean([all(d.max() >= 2 for d in one) for one in likely])
        assert scores["miss_rate"] == pytest.approx(missed, abs=1e-6)
    assert "minADE" in ran.out and "top 10" in ran.out


def test_one_scene_and_one_class_are_measured_alone(command: Command, tmp_path: Path) -> None:
    tables = nuscenes_tables()
    write_nuscenes(tmp_path / "nuscenes", tables)
    (tmp_path / "theirs.json").write_text(json.dumps(nuscenes_entries(tables)))
    ran = command("evaluate", "--predictions", "theirs.json", "--truth", "nuscenes#scene-0061", "--classes", "car")
    [report] = challenges(ran.folder)
    assert (report["target_count"], report["object_count"]) == (4, 1)
    assert "12 of 24 predictions are of recordings that the truth does not have" in notes(ran.folder)


def test_a_prediction_without_a_whole_future_is_counted_and_left_out(command: Command, tmp_path: Path) -> None:
    tables = nuscenes_tables(scenes=1)
    write_nuscenes(tmp_path / "nuscenes", tables)
    entries = nuscenes_entries(tables)
    late = {**entries[0], "sample": "0-8"}
    (tmp_path / "theirs.json").write_text(json.dumps([*entries, late]))
    ran = command("evaluate", "--predictions", "theirs.json", "--truth", "nuscenes")
    [report] = challenges(ran.folder)
    assert (report["target_count"], report["without_future_count"]) == (12, 1)


Change = Callable[[list[dict[str, Any]]], object]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: e[3].update(sample="unknown", instance=e[4]["instance"]), None),
        (lambda e: e[3].update(instance="i-9-9"), "entry 3: the instance i-9-9 is not annotated in the sample"),
        (lambda e: e.append(dict(e[2])), "entry 24: is of an object and a time that occur twice"),
        (lambda e: e[1].update(probabilities=[0.9] * len(e[1]["prediction"])), "entry 1: has probabilities that do"),
        (lambda e: e[1].update(probabilities=[1.0]), "entry 1: has"),
        (lambda e: e[1]["probabilities"].__setitem__(0, -0.1), "entry 1: has a probability outside 0 to 1"),
        (lambda e: e[1]["prediction"].__setitem__(0, [[0, 0]] * 11), "entry 1: prediction or probabilities are no reg"),
        (lambda e: e[1].update(prediction=[[[0, 0]] * 11]), "entry 1: prediction has the shape [1, 11, 2]"),
        (lambda e: e[1].update(prediction=[[[0, 0]] * 12] * 26), "entry 1: has 26 modes"),
        (lambda e: e[1].pop("probabilities"), "entry 1: expected instance, sample, prediction, probabilities"),
        (lambda e: [x.update(prediction=np.divide(x["prediction"], 1000).tolist()) for x in e], "m from their objects"),
        (lambda e: [x.update(sample=f"other-{x['sample']}") for x in e], "none of its 24 predictions is of nuscenes"),
    ],
)
def test_a_wrong_file_for_nuscenes_is_one_sentence(
    command: Command, tmp_path: Path, change: Change, said: str | None
) -> None:
    tables = nuscenes_tables()
    write_nuscenes(tmp_path / "nuscenes", tables)
    entries = nuscenes_entries(tables)
    change(entries)
    probabilities = entries[1].get("probabilities")
    if said == "entry 1: has 26 modes" and probabilities:
        entries[1]["probabilities"] = [1 / 26] * 26
    (tmp_path / "theirs.json").write_text(json.dumps(entries))
    ran = command("evaluate", "--predictions", "theirs.json", "--truth", "nuscenes")
    if said is None:
        assert ran.code == 0 and "1 of 24 predictions are of recordings" in notes(ran.folder)
    else:
        assert ran.code == 2 and "theirs.json" in ran.sentence and said in ran.sentence, ran.sentence


def write_argoverse(folder: Path, count: int = 3) -> list[dict[str, Any]]:
    scenarios = [scenario_columns(f"scenario{number}", seed=number) for number in range(count)]
    for columns in scenarios:
        write_scenario(folder, columns)
    return scenarios


def test_a_file_for_argoverse_has_the_figures_of_its_definitions(command: Command, tmp_path: Path) -> None:
    scenarios = write_argoverse(tmp_path / "val")
    rows = argoverse_rows(scenarios, ("10", "20", "30"))
    write_submission(tmp_path / "theirs.parquet", rows)
    ran = command("evaluate", "--predictions", "theirs.parquet", "--truth", "val")
    assert ran.code == 0, ran.err
    focal, both = challenges(ran.folder)
    assert (focal["targets"], focal["target_count"]) == ("focal tracks", 3)
    assert (both["targets"], both["target_count"]) == ("focal and scored tracks", 6)
    assert "of tracks that Argoverse does not score, 3 predictions left out" in notes(ran.folder)
    scores, expected = focal["top_k"][-1], []
    for columns in scenarios:
        name = columns["scenario_id"][0]
        own = [
            i for i, key in enumerate(zip(rows["scenario_id"], rows["track_id"], strict=True)) if key == (name, "10")
        ]
        future = scenario_future(columns, "10")
        away = [
            distances(np.column_stack([rows["predicted_trajectory_x"][i], rows["predicted_trajectory_y"][i]]), future)
            for i in own
        ]
        best = min(range(len(own)), key=lambda i: away[i][-1])
        brier = away[best][-1] + (1 - rows["probability"][own[best]]) ** 2
        expected.append((min(d.mean() for d in away), away[best][-1], away[best][-1] > 2, away[best].mean(), brier))
    names = ("min_ade_m", "min_fde_m", "miss_rate", "best_end_ade_m", "brier_min_fde_m")
    assert [scores[name] for name in names] == pytest.approx(np.mean(expected, axis=0).tolist(), abs=1e-6)
    gated = command("evaluate", "--predictions", "theirs.parquet", "--truth", "val", "--fail-over", "min_fde_6_m=0.001")
    assert gated.code == 1 and "min_fde_6_m" in gated.err


def test_one_scenario_and_a_pattern_of_scenarios_are_truths(command: Command, tmp_path: Path) -> None:
    scenarios = write_argoverse(tmp_path / "val")
    (tmp_path / "theirs").mkdir()
    write_submission(tmp_path / "theirs" / "any.parquet", argoverse_rows(scenarios[:1]))
    for truth in ("val/scenario0", "val#scenario0", "val/*0"):
        ran = command("evaluate", "--predictions", "theirs", "--truth", truth)
        assert challenges(ran.folder)[0]["target_count"] == 1, ran.err
    ran = command("evaluate", "--predictions", "theirs", "--truth", "val")
    assert ran.code == 2 and "2 of 3 scenarios have no prediction, the first is scenario1" in ran.sentence


Rows = dict[str, list[Any]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda r: r["predicted_trajectory_x"].__setitem__(4, [0.0] * 30),
            "row 5, predicted_trajectory_x: expected 60",
        ),
        (
            lambda r: r["predicted_trajectory_y"][2].__setitem__(7, float("nan")),
            "row 3, predicted_trajectory_y: expect",
        ),
        (lambda r: r["probability"].__setitem__(0, 0.9), "scenario scenario0 has probabilities that do not sum to 1"),
        (lambda r: r["probability"].__setitem__(1, None), "row 2, probability: expected a finite number"),
        (lambda r: r["track_id"].__setitem__(slice(6), ["77"] * 6), "lacks its focal track 10"),
        (lambda r: r["scenario_id"].__setitem__(slice(None), ["x"] * 18), "none of its 1 prediction is of val"),
        (lambda r: r.pop("probability"), "has no column probability"),
    ],
)
def test_a_wrong_file_for_argoverse_is_one_sentence(
    command: Command, tmp_path: Path, change: Callable[[Rows], object], said: str
) -> None:
    rows = argoverse_rows(write_argoverse(tmp_path / "val"))
    if "none of its" in said:
        rows = {name: values[:6] for name, values in rows.items()}
        rows["scenario_id"] = ["x"] * 6
    else:
        change(rows)
    write_submission(tmp_path / "theirs.parquet", rows)
    ran = command("evaluate", "--predictions", "theirs.parquet", "--truth", "val")
    assert ran.code == 2 and said in ran.sentence, ran.sentence


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("timestep", 0, "row 2, timestep: occurs twice in a track"),
        ("position_x", float("nan"), "row 2, position_x: expected a finite number"),
        ("scenario_id", "other", "row 2, scenario_id: is another one than in the first row"),
        ("object_category", 7, "row 2, object_category: expected 0 to 3"),
    ],
)
def test_a_wrong_scenario_is_one_sentence(command: Command, tmp_path: Path, name: str, value: Any, said: str) -> None:
    columns = scenario_columns("scenario0")
    rows = argoverse_rows([columns])
    columns[name][1] = value
    path = write_scenario(tmp_path / "val", columns)
    write_submission(tmp_path / "theirs.parquet", rows)
    ran = command("evaluate", "--predictions", "theirs.parquet", "--truth", "val")
    assert ran.code == 2 and path.name in ran.sentence and said in ran.sentence, ran.sentence


def test_scenarios_of_the_test_set_and_of_other_units_are_refused(command: Command, tmp_path: Path) -> None:
    columns = scenario_columns("scenario0", tracks=3)
    write_submission(tmp_path / "theirs.parquet", argoverse_rows([columns]))
    seen = np.asarray(columns["timestep"]) < 50
    cut = {name: np.asarray(values)[seen].tolist() for name, values in columns.items()}
    write_scenario(tmp_path / "test", cut)
    ran = command("evaluate", "--predictions", "theirs.parquet", "--truth", "test")
    assert ran.code == 2 and "has no future, as the test set has none" in ran.sentence
    micro = {**columns, "start_timestamp": [0] * 330, "end_timestamp": [10_900_000] * 330}
    write_scenario(tmp_path / "val", micro)
    ran = command("evaluate", "--predictions", "theirs.parquet", "--truth", "val")
    assert ran.code == 2 and "give nanoseconds" in ran.sentence


def test_a_missing_extra_is_one_sentence(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenarios = write_argoverse(tmp_path / "val")
    write_submission(tmp_path / "theirs.parquet", argoverse_rows(scenarios))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ran = command("evaluate", "--predictions", "theirs.parquet", "--truth", "val")
    assert ran.code == 2 and 'pip install "perception[argoverse]"' in ran.sentence


def test_scenarios_have_no_pictures_to_run_on(command: Command, tmp_path: Path) -> None:
    write_argoverse(tmp_path / "val")
    ran = command("demo", "--source", "val")
    assert ran.code == 2 and "tracks and no pictures" in ran.sentence
