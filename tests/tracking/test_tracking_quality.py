"""Identity on real recordings, held against the ByteTrack of the ``trackers`` package on the same detections."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
import supervision as sv
from numpy.typing import NDArray
from support.yolox_teacher import YoloxTeacher
from trackers import ByteTrackTracker
from trackers.eval import box_iou, compute_hota_metrics, compute_identity_metrics

from perception.taxonomy import VEHICLE_LABELS
from perception.tracking import ImageTracker
from perception.types import Detections

RECORDINGS = {"train_rain": 1.25, "val_morning": 5.0, "train_afternoon": 10.0}
FRAMES = 120

IdentifiedBoxes = list[tuple[NDArray[np.int64], NDArray[np.float64]]]
"""Per frame: ids (N,) and boxes (N, 4) as corners in pixels."""


def read_truth(path: Path) -> IdentifiedBoxes:
    rows = np.loadtxt(path, delimiter=",")
    frames = [rows[rows[:, 0] == number] for number in range(1, FRAMES + 1)]
    return [(f[:, 1].astype(np.int64), np.c_[f[:, 2:4], f[:, 2:4] + f[:, 4:6]]) for f in frames]


def read_detections(path: Path, teacher: YoloxTeacher) -> Iterator[tuple[int, Detections]]:
    with av.open(str(path)) as container:
        for frame in islice(container.decode(video=0), FRAMES):
            found = teacher.detect(frame.to_ndarray(format="rgb24"))
            assert frame.time is not None
            yield round(frame.time * 1e9), found[np.isin(found.labels, VEHICLE_LABELS)]


def track(detections: list[tuple[int, Detections]]) -> IdentifiedBoxes:
    tracker, out = ImageTracker(), []
    for timestamp_ns, found in detections:
        tracks = tracker.update([found], timestamp_ns)
        seen = tracks[tracks.unseen_s == 0]
        out.append((seen.ids, seen.boxes_xyxy_px))
    return out


def track_with_bytetrack(
    detections: list[tuple[int, Detections]], rate_fps: float, parameters: dict[str, float]
) -> IdentifiedBoxes:
    tracker, out = ByteTrackTracker(frame_rate=rate_fps, **parameters), []
    for _, found in detections:
        given = sv.Detections(xyxy=found.boxes_xyxy_px, confidence=found.scores, class_id=np.zeros(len(found), int))
        tracks = tracker.update(given)
        kept = tracks.tracker_id >= 0
        out.append((tracks.tracker_id[kept], tracks.xyxy[kept]))
    return out


def hota_and_idf1(tracked: IdentifiedBoxes, truth: IdentifiedBoxes) -> NDArray[np.float64]:
    similarities = [box_iou(boxes, found) for (_, boxes), (_, found) in zip(truth, tracked, strict=True)]
    ids = [numbered([ids for ids, _ in frames]) for frames in (truth, tracked)]
    hota = compute_hota_metrics(*ids, similarities)["HOTA"]
    return np.array([hota, compute_identity_metrics(*ids, similarities)["IDF1"]])


def numbered(ids: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """The same ids counted from 0 without gaps, as the metrics want them."""
    known = np.unique(np.concatenate(ids))
    return [np.searchsorted(known, frame_ids) for frame_ids in ids]


@pytest.mark.shared
def test_identity_is_at_least_as_good_as_bytetrack(shared_dir: Path) -> None:
    """On 120 frames of each recording, with the package's defaults and with thresholds made for these scores."""
    teacher = YoloxTeacher(shared_dir / "teachers" / "yolox_nano_coco_416.onnx")
    tuned = {
        "high_conf_det_threshold": 0.25,
        "track_activation_threshold": 0.25,
        "minimum_iou_threshold": 0.1,
        "minimum_consecutive_frames": 2,
    }
    ours, theirs_tuned, theirs_default = [], [], []
    for name, rate_fps in RECORDINGS.items():
        folder = shared_dir / "real" / "motorway" / name
        truth = read_truth(folder / "gt.txt")
        detections = list(read_detections(folder / "video.mp4", teacher))
        ours.append(hota_and_idf1(track(detections), truth))
        theirs_tuned.append(hota_and_idf1(track_with_bytetrack(detections, rate_fps, tuned), truth))
        theirs_default.append(hota_and_idf1(track_with_bytetrack(detections, rate_fps, {}), truth))
    assert (np.array(ours) >= np.array(theirs_default)).all()
    assert (np.mean(ours, axis=0) >= np.mean(theirs_tuned, axis=0)).all()
    assert (np.mean(ours, axis=0) > [0.35, 0.45]).all()
