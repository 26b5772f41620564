"""Regions to ignore in the tables of detection: COCO's crowds as pycocotools counts them."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.evaluation_tables import disturbed, random_table, table

from perception.evaluation.core.table_boxes import image_keys
from perception.evaluation.detection.average_precision import evaluate_detection
from perception.evaluation.failures.classify import match_detections
from perception.taxonomy import CLASSES
from perception.types import ANY_LABEL, BoxTable, IgnoredRegions

EVERYWHERE, CORNER = (0.0, 0.0, 1000.0, 1000.0), (900.0, 900.0, 930.0, 930.0)
BOX, BESIDE, WIDER = (10.0, 10.0, 30.0, 30.0), (60.0, 10.0, 80.0, 30.0), (60.0, 10.0, 90.0, 30.0)
CAR, TRUCK, PEDESTRIAN = (CLASSES.index(name) for name in ("car", "truck", "pedestrian"))


def regions(*boxes: tuple[float, ...], label: int = ANY_LABEL, is_object: bool = False) -> IgnoredRegions:
    """Regions in the first frame of the camera front."""
    count = len(boxes)
    return IgnoredRegions(
        frame_indices=np.zeros(count, np.int64),
        labels=np.full(count, label),
        boxes_xyxy_px=np.array(boxes, float).reshape(count, 4),
        cameras=np.full(count, "front"),
        is_object=np.full(count, is_object),
    )


def pycocotools_scores(truth: BoxTable, found: BoxTable, crowds: IgnoredRegions) -> tuple[float, float]:
    """AP and AP50 of one class by pycocotools."""
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")

    def annotations(rows: BoxTable | IgnoredRegions, **more: Any) -> list[dict[str, Any]]:
        sizes = rows.boxes_xyxy_px[:, 2:] - rows.boxes_xyxy_px[:, :2]
        return [
            {
                "image_id": int(frame) + 1,
                "category_id": 1,
                "bbox": [*corner.tolist(), *size.tolist()],
                "area": float(size.prod()),
                "iscrowd": 0,
                **more,
            }
            for frame, corner, size in zip(rows.frame_indices, rows.boxes_xyxy_px[:, :2], sizes, strict=True)
        ]

    known = [*annotations(truth), *annotations(crowds, iscrowd=1)]
    frames = sorted({*truth.frame_indices.tolist(), *found.frame_indices.tolist()})
    results = [{**row, "score": float(score)} for row, score in zip(annotations(found), found.scores, strict=True)]
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = coco.COCO()
        dataset.dataset = {
            "images": [{"id": frame + 1} for frame in frames],
            "categories": [{"id": 1, "name": "car"}],
            "annotations": [{**row, "id": number} for number, row in enumerate(known, 1)],
        }
        dataset.createIndex()
        evaluation = cocoeval.COCOeval(dataset, dataset.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])


@pytest.mark.parametrize("seed", range(8))
def test_crowds_count_as_in_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = random_table(rng, frames=8, objects=5)
    found = disturbed(rng, truth, jitter_px=5.0, extra=40)
    found = replace(found, scores=rng.permutation(len(found)) / len(found))
    corners = rng.uniform(0, 150, (20, 2))
    crowds = IgnoredRegions(
        frame_indices=rng.integers(0, 8, 20),
        labels=np.zeros(20, np.int64),
        boxes_xyxy_px=np.concatenate([corners, corners + rng.uniform(20, 120, (20, 2))], axis=1),
        cameras=np.full(20, "front"),
        is_object=np.zeros(20, bool),
    )
    ours = evaluate_detection(truth=truth, detections=found, ignored=crowds).overall
    assert (ours.ap, ours.ap50) == pytest.approx(pycocotools_scores(truth, found, crowds), abs=1e-6)
    without = evaluate_detection(truth=truth, detections=found).overall
    assert without.false_positive_count > ours.false_positive_count


def test_only_what_lies_in_a_region_and_fits_nothing_is_left_out() -> None:
    truth = table([(0, 1, BOX)])
    found = table([(0, 1, BOX), (0, 2, BESIDE), (1, 3, BESIDE)], scores=0.9)
    counts = {
        name: evaluate_detection(truth=truth, detections=found, ignored=ignored).overall
        for name, ignored in {
            "everywhere": regions(EVERYWHERE),
            "corner": regions(CORNER),
            "of pedestrians": regions(EVERYWHERE, label=PEDESTRIAN),
            "beside": regions(WIDER),
        }.items()
    }
    # The second frame has no region.
    assert {name: scores.false_positive_count for name, scores in counts.items()} == {
        "everywhere": 1,
        "corner": 2,
        "of pedestrians": 2,
        "beside": 1,
    }
    assert {scores.true_positive_count for scores in counts.values()} == {1}
    assert counts["everywhere"].ignored_detection_count == 1


def test_an_object_to_ignore_takes_one_detection_that_fits_it() -> None:
    truth = table([(0, 1, BOX)])
    small = (62.0, 12.0, 66.0, 16.0)
    found = table([(0, 1, BESIDE), (0, 2, BESIDE), (0, 3, small)], scores=(0.9, 0.8, 0.7))
    as_object = evaluate_detection(truth=truth, detections=found, ignored=regions(BESIDE, is_object=True)).overall
    as_region = evaluate_detection(truth=truth, detections=found, ignored=regions(BESIDE)).overall
    assert (as_object.false_positive_count, as_region.false_positive_count) == (2, 0)


def test_a_region_of_cars_is_one_of_vehicles() -> None:
    truth, found = table([(0, 1, BOX)]), table([(0, 2, BESIDE)], labels=TRUCK)
    of_cars = regions(EVERYWHERE, label=CAR)
    for grouping, count in (("vehicles", 0), ("each", 1), ("any", 0)):
        scores = evaluate_detection(truth=truth, detections=found, ignored=of_cars, grouping=grouping).overall
        assert scores.false_positive_count == count, grouping


def test_all_classes_as_one_forgive_every_name() -> None:
    truth, found = table([(0, 1, BOX)], labels=PEDESTRIAN), table([(0, 2, BOX)], labels=CAR)
    report = evaluate_detection(truth=truth, detections=found, grouping="any")
    assert list(report.per_class) == ["object"]
    assert report.overall.ap == pytest.approx(1.0)


@pytest.mark.parametrize("grouping", ["vehicles", "each", "any"])
def test_the_false_alarms_that_are_shown_are_those_that_count(grouping: Any) -> None:
    rng = np.random.default_rng(3)
    truth = random_table(rng, labels=(0, 2, 5))
    found = disturbed(rng, truth, extra=40)
    images, ignored = image_keys(truth) | image_keys(found), regions((0.0, 0.0, 90.0, 200.0))
    matched = match_detections(
        truth=truth, detections=found, images=images, grouping=grouping, score_threshold=0.4, ignored=ignored
    )
    scores = evaluate_detection(
        truth=truth, detections=found, images=images, grouping=grouping, score_threshold=0.4, ignored=ignored
    ).overall
    assert len(matched.false_alarms) == scores.false_positive_count
