"""Pictures of the scenes that a report names, made while the frames are read once more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from perception.evaluation.core.table_boxes import ImageKey
from perception.evaluation.failures.scenes import SceneEntry
from perception.types import BoxTable, Frame
from perception.visualization.failure_pictures import draw_scene, jpeg_bytes

_QUALITY = 82


def draw_scenes(
    frames: Iterable[Frame],
    scenes: Sequence[SceneEntry],
    *,
    truth: BoxTable,
    detections: BoxTable,
    score_threshold: float,
) -> dict[SceneEntry, bytes]:
    """The JPEG file of each of ``scenes`` that lies in ``frames``; reading ends with the last one.

    Drawn are the true boxes and the ``detections`` from ``score_threshold`` on.
    """
    waiting: dict[ImageKey, list[SceneEntry]] = {}
    for scene in scenes:
        waiting.setdefault(scene.key, []).append(scene)
    confident = detections[detections.scores >= score_threshold]
    pictures: dict[SceneEntry, bytes] = {}
    if not waiting:
        return pictures
    for frame in frames:
        for scene in waiting.pop((frame.camera, frame.index), ()):
            picture = draw_scene(
                frame.image,
                truth=_in_frame(truth, frame),
                detections=_in_frame(confident, frame),
                box_xyxy_px=scene.box_xyxy_px,
            )
            pictures[scene] = jpeg_bytes(picture, quality=_QUALITY)
        if not waiting:
            break
    return pictures


def _in_frame(table: BoxTable, frame: Frame) -> BoxTable:
    return table[(table.frame_indices == frame.index) & (table.cameras == frame.camera)]
