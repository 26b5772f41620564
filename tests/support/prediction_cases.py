"""Truths of several formats on disk, without pictures where the format does, and predictions for them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from support.evaluation_tables import disturbed, random_table
from support.media import write_image

from perception.types import BoxTable

SIZE_PX = (400, 400)
FRAMES = 12


def true_table(seed: int) -> BoxTable:
    """Cars, trucks and pedestrians that walk for twelve frames, all within the picture."""
    return random_table(np.random.default_rng(seed), frames=FRAMES, objects=7, labels=(0, 1, 5))


def tracks_of(truth: BoxTable, seed: int) -> BoxTable:
    """Those of a mediocre tracker."""
    return disturbed(np.random.default_rng(seed), truth)


def write_mot_truth(folder: Path, table: BoxTable) -> Path:
    """A MOTChallenge folder without pictures."""
    folder.mkdir(parents=True)
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={folder.name}\nframeRate=10\nseqLength={FRAMES}\n"
        f"imWidth={SIZE_PX[0]}\nimHeight={SIZE_PX[1]}\n"
    )
    (folder / "labels.txt").write_text("car\ntruck\nbus\nmotorcycle\nbicycle\npedestrian\n")
    (folder / "gt.txt").write_text(mot_text(table, columns=9))
    return folder


def mot_text(table: BoxTable, *, columns: int) -> str:
    """Lines of 7 to 10 columns; of ten the last three are a place in the world that nobody knows."""
    lines = []
    for row in range(len(table)):
        x1, y1, x2, y2 = table.boxes_xyxy_px[row].tolist()
        score = f"{table.scores[row]:g}"
        start = [table.frame_indices[row] + 1, table.ids[row], x1, y1, x2 - x1, y2 - y1, score]
        ends = [-1, -1, -1] if columns == 10 else [table.labels[row] + 1, 1]
        lines.append(",".join(str(field) for field in [*start, *ends][:columns]))
    return "".join(f"{line}\n" for line in lines)


def kitti_line(label: int, box: list[float], *end: object) -> str:
    name = ("Car", "Truck", "Bus", "Motorcycle", "Cyclist", "Pedestrian")[label]
    corners = " ".join(f"{value:.6f}" for value in box)
    return " ".join([name, "0 0 0.1", corners, "1.5 1.6 4.1 1 1.5 20 0.3", *map(str, end)])


def write_kitti_tracking(folder: Path, drives: dict[str, BoxTable]) -> Path:
    """Labels and calibration of KITTI's tracking, without pictures."""
    (folder / "calib").mkdir(parents=True)
    (folder / "label_02").mkdir()
    projection = " ".join(map(str, [700, 0, 600, 0, 0, 700, 180, 0, 0, 0, 1, 0]))
    for name, table in drives.items():
        (folder / "calib" / f"{name}.txt").write_text("".join(f"P{n}: {projection}\n" for n in range(4)))
        (folder / "label_02" / f"{name}.txt").write_text(kitti_tracking_text(table))
    return folder


def kitti_tracking_text(table: BoxTable) -> str:
    rows = zip(table.frame_indices, table.ids, table.labels, table.boxes_xyxy_px.tolist(), strict=True)
    return "".join(f"{frame} {identity} {kitti_line(label, box)}\n" for frame, identity, label, box in rows)


def write_coco_truth(path: Path, table: BoxTable, *, first_id: int = 100) -> Path:
    """A COCO file of pictures that are not there; its categories have numbers of their own."""
    numbers = {0: 3, 1: 8, 5: 1}
    rows = zip(table.frame_indices.tolist(), table.labels.tolist(), xywh(table), strict=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(
            {
                "categories": [{"id": 3, "name": "car"}, {"id": 8, "name": "truck"}, {"id": 1, "name": "person"}],
                "images": [
                    {"id": first_id + n, "file_name": f"{n:06d}.jpg", "width": SIZE_PX[0], "height": SIZE_PX[1]}
                    for n in range(FRAMES)
                ],
                "annotations": [
                    {"id": n, "image_id": first_id + frame, "category_id": numbers[label], "bbox": box}
                    for n, (frame, label, box) in enumerate(rows, start=1)
                ],
            }
        )
    )
    return path


def coco_results(table: BoxTable, *, first_id: int = 100) -> list[dict[str, object]]:
    numbers = {0: 3, 1: 8, 5: 1}
    rows = zip(table.frame_indices.tolist(), table.labels.tolist(), xywh(table), table.scores.tolist(), strict=True)
    return [
        {"image_id": first_id + frame, "category_id": numbers[label], "bbox": box, "score": score}
        for frame, label, box, score in rows
    ]


def write_yolo_truth(folder: Path, table: BoxTable) -> Path:
    """Pictures, labels and ``data.yaml``, whose classes have numbers of their own."""
    for frame in range(FRAMES):
        image = np.full((SIZE_PX[1], SIZE_PX[0], 3), 90, np.uint8)
        write_image(folder / "images" / "val" / f"{frame:06d}.png", image)
    write_yolo_labels(folder / "labels" / "val", table, has_scores=False)
    (folder / "data.yaml").write_text("path: .\nval: images/val\nnames: {0: person, 1: car, 2: truck}\n")
    return folder


def write_yolo_labels(folder: Path, table: BoxTable, *, has_scores: bool) -> None:
    """A text for each picture that has a box."""
    folder.mkdir(parents=True)
    numbers = {5: 0, 0: 1, 1: 2}
    for frame in np.unique(table.frame_indices).tolist():
        rows = table[table.frame_indices == frame]
        lines = []
        for label, (x1, y1, x2, y2), score in zip(
            rows.labels.tolist(), rows.boxes_xyxy_px.tolist(), rows.scores.tolist(), strict=True
        ):
            width, height = SIZE_PX
            fields = [(x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height]
            lines.append(" ".join(map(str, [numbers[label], *fields, *([score] if has_scores else [])])))
        (folder / f"{frame:06d}.txt").write_text("\n".join(lines) + "\n")


def write_kitti_objects(folder: Path, table: BoxTable, *, has_scores: bool) -> Path:
    """A text for each picture, empty ones too."""
    folder.mkdir(parents=True)
    for frame in range(FRAMES):
        rows = table[table.frame_indices == frame]
        lines = [
            kitti_line(label, box, *([score] if has_scores else []))
            for label, box, score in zip(
                rows.labels.tolist(), rows.boxes_xyxy_px.tolist(), rows.scores.tolist(), strict=True
            )
        ]
        (folder / f"{frame:06d}.txt").write_text("".join(f"{line}\n" for line in lines))
    return folder


def xywh(table: BoxTable) -> list[list[float]]:
    boxes = table.boxes_xyxy_px
    joined: list[list[float]] = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()
    return joined
