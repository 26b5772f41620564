"""Small data sets with classes of their own: one bright box in each dark picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from support.media import write_image

NAMES = ("forklift", "person", "pallet")
BOX_XYXY_PX = (40, 24, 80, 72)
SIZE = (160, 96)


def write_yolo_folder(root: Path, *, images: int = 3, **keys: str) -> Path:
    """A YOLO folder of pictures of 160x96 pixels, its objects of each class in turn; returns its ``data.yaml``.

    ``keys`` are further lines of it, or other ones.
    """
    x1, y1, x2, y2 = BOX_XYXY_PX
    width, height = SIZE
    shares = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height
    for split in ("train", "val"):
        for number in range(images):
            write_image(root / "images" / split / f"{number}.png", picture())
            labels = root / "labels" / split / f"{number}.txt"
            labels.parent.mkdir(parents=True, exist_ok=True)
            labels.write_text(f"{number % len(NAMES)} " + " ".join(f"{share:.6f}" for share in shares) + "\n")
    stated = {"path": ".", "train": "images/train", "val": "images/val", "names": str(list(NAMES))}
    stated |= {"class_map": "{forklift: truck}", **keys}
    path = root / "data.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in stated.items() if value))
    return path


def write_coco_folder(root: Path) -> Path:
    """The same as COCO's own folders have it: ``annotations/instances_train.json`` with ``train/0.png``."""
    x1, y1, x2, y2 = BOX_XYXY_PX
    categories = [{"id": 10 * (label + 1), "name": name} for label, name in enumerate(NAMES)]
    for split in ("train", "val"):
        write_image(root / split / "0.png", picture())
        boxes = [(10, 0), (30, 1)]
        annotations = [
            {"id": number, "image_id": 7, "category_id": category, "bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": crowd}
            for number, (category, crowd) in enumerate(boxes)
        ]
        path = root / "annotations" / f"instances_{split}.json"
        path.parent.mkdir(exist_ok=True)
        images = [{"id": 7, "file_name": "0.png"}]
        path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    path = root / "data.yaml"
    parts = "train: annotations/instances_train.json\nval: annotations/instances_val.json\n"
    path.write_text(f"{parts}class_map: {{forklift: truck}}\n")
    return path


def picture() -> np.ndarray:
    x1, y1, x2, y2 = BOX_XYXY_PX
    image = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
    image[y1:y2, x1:x2] = 230
    return image
