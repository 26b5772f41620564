"""Pictures of the bundled drive with their true boxes, as a COCO file."""

from __future__ import annotations

import json
from pathlib import Path

from support.media import write_image

from perception.files import bundled
from perception.sources import open_source, read_truth
from perception.taxonomy import CLASSES


def write_pictures(folder: Path, *, count: int = 4) -> Path:
    """A COCO file of pictures of the bundled drive, with the objects that are well seen."""
    recording = str(bundled("data/recording"))
    truth = read_truth(recording)
    assert truth is not None
    images, annotations = [], []
    for frame_set in list(open_source([recording], stride=30))[:count]:
        frame = frame_set.frames[0]
        images.append({"id": len(images), "file_name": f"{frame.index}.png", "width": 640, "height": 360})
        write_image(folder / "images" / f"{frame.index}.png", frame.image)
        rows = truth[(truth.frame_indices == frame.index) & (truth.cameras == frame.camera)]
        assert rows.visible_shares is not None
        heights = rows.boxes_xyxy_px[:, 3] - rows.boxes_xyxy_px[:, 1]
        rows = rows[(rows.visible_shares >= 0.5) & (heights >= 12)]
        for box, label in zip(rows.boxes_xyxy_px, rows.labels, strict=True):
            sides = [*box[:2], *(box[2:] - box[:2])]
            number = len(annotations)
            annotations.append(
                {"id": number, "image_id": len(images) - 1, "category_id": int(label), "bbox": list(map(float, sides))}
            )
    categories = [{"id": label, "name": name} for label, name in enumerate(CLASSES)]
    path = folder / "truth.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path
