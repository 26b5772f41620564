"""pycocotools as the oracle of average precision."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from perception.types import BoxTable


def coco_scores(truth: BoxTable, detections: BoxTable) -> dict[int, dict[str, float]]:
    """AP, AP50 and AR of each class of ``truth``, over the images of both tables together."""
    pytest.importorskip("pycocotools")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    keys = sorted({key for table in (truth, detections) for key in _keys(table)})
    number = {key: index for index, key in enumerate(keys)}
    annotations = [
        {**one, "id": index + 1, "iscrowd": 0, "area": one["bbox"][2] * one["bbox"][3]}
        for index, one in enumerate(_records(truth, number))
    ]
    labels = sorted({one["category_id"] for one in annotations})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": index, "width": 10_000, "height": 10_000} for index in number.values()],
            "annotations": annotations,
            "categories": [{"id": label, "name": str(label)} for label in labels],
        }
        coco.createIndex()
        scored = [
            {**one, "score": float(score)}
            for one, score in zip(_records(detections, number), detections.scores, strict=True)
        ]
        evaluation = COCOeval(coco, coco.loadRes(scored), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    # (IoU, recall, class, area, detections) and the same without recall; all areas, up to 100 detections per image.
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    recall = evaluation.eval["recall"][:, :, 0, -1]
    return {
        label: {
            "ap": float(precision[:, :, index].mean()),
            "ap50": float(precision[0, :, index].mean()),
            "ar": float(recall[:, index].mean()),
        }
        for index, label in enumerate(labels)
    }


def _keys(table: BoxTable) -> list[tuple[str, int]]:
    return list(zip(table.cameras.tolist(), table.frame_indices.tolist(), strict=True))


def _records(table: BoxTable, number: dict[tuple[str, int], int]) -> list[dict]:
    boxes = table.boxes_xyxy_px.astype(np.float64)
    sizes = boxes[:, 2:] - boxes[:, :2]
    return [
        {"image_id": number[key], "category_id": int(label), "bbox": [*corner, *size]}
        for key, label, corner, size in zip(
            _keys(table), table.labels, boxes[:, :2].tolist(), sizes.tolist(), strict=True
        )
    ]
