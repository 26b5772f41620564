"""A small calibrated drive on disk: a car that crosses, and a detector that knows where it is."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from support.media import write_video

from perception.geometry.cameras import Camera
from perception.training.forecaster.tracks.simulated_detections import boxes_in
from perception.types import Detections, Frame

INTRINSICS = [[160.0, 0, 80], [0, 160, 48], [0, 0, 1]]
VEHICLE_FROM_CAMERA = [[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]]
CAMERA = Camera("front", (160, 96), np.array(INTRINSICS), np.array(VEHICLE_FROM_CAMERA))
SIZE_M = (4.5, 1.85, 1.55)
FPS, FRAMES = 10, 30


def centre_m(time_s: float) -> tuple[float, float]:
    """A car, 14 m ahead, that crosses from the right to the left at 2 m/s."""
    return 14.0, -2.5 + 2.0 * time_s


class KnowingDetector:
    name, feature_space, feature_size, is_calibrated = "knowing", "known", 2, False

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        return [self._detect(frame) for frame in frames]

    def _detect(self, frame: Frame) -> Detections:
        x, y = centre_m(frame.timestamp_ns * 1e-9)
        length, width, height = SIZE_M
        ends = [(x + a * width, y + b * length, c * height) for a in (-0.5, 0.5) for b in (-0.5, 0.5) for c in (0, 1)]
        boxes, _ = boxes_in(CAMERA, np.array([ends]))
        return Detections(
            boxes_xyxy_px=boxes.astype(np.float32),
            scores=np.full(1, 0.9),
            labels=np.zeros(1, int),
            features=np.ones((1, 2), np.float32),
            camera=frame.camera,
            image_size_px=frame.size_px,
            feature_space=self.feature_space,
        )


def write_crossing(
    folder: Path, *, is_calibrated: bool = True, has_poses: bool = True, has_objects: bool = True, frames: int = FRAMES
) -> Path:
    folder.mkdir()
    write_video(folder / "front.mp4", [np.full((96, 160, 3), 90, np.uint8)] * frames, fps=FPS)
    camera: dict[str, object] = {"video": "front.mp4"}
    if is_calibrated:
        camera |= {"intrinsics": INTRINSICS, "vehicle_from_camera": VEHICLE_FROM_CAMERA}
    (folder / "recording.yaml").write_text(yaml.safe_dump({"cameras": {"front": camera}}))
    times_ns = [round(1e9 * number / FPS) for number in range(frames)]
    if has_poses:
        _write_csv(
            folder / "poses.csv",
            ["timestamp_ns", "x", "y", "z", "qw", "qx", "qy", "qz"],
            [[time, 0, 0, 0, 1, 0, 0, 0] for time in times_ns],
        )
    if has_objects:
        _write_csv(
            folder / "objects3d.csv",
            ["timestamp_ns", "id", "class", "x", "y", "z", "length", "width", "height", "yaw", "speed_mps"],
            [[time, 7, "car", *centre_m(time * 1e-9), 0.8, *SIZE_M, np.pi / 2, 2.0] for time in times_ns],
        )
    return folder


def _write_csv(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
