"""Drives among objects that four cameras see, with the scenes that a run of any quality makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from perception.arrays import FloatArray, IntArray
from perception.evaluation.core.run_tables import RunRecorder
from perception.evaluation.core.timeline import Timeline
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.types import BoxTable, Detections, Forecasts, Frame, FrameSet, ObjectTable, Scene, Sightings, Tracks

FRAME_NS = 100_000_000
START_NS = 1_700_000_000_000_000_000
DT_S, STEPS = 0.1, 40
SIZE_PX = (640, 360)
FOCAL_PX, HEIGHT_M, WIDTH_M = 320.0, 1.6, 1.8
CAMERA_YAWS_RAD = {"front": 0.0, "left": np.pi / 2, "rear": np.pi, "right": -np.pi / 2}
HALF_VIEW_RAD = np.radians(45)

Path = Callable[[FloatArray], FloatArray]
"""Centres (E, 2) in metres in the world at times (E,) in seconds."""

Forecasting = Callable[[FloatArray, FloatArray, IntArray, int], FloatArray]
"""Positions and velocities (N, 2), ids (N,), instant -> futures (N, K, T, 2)."""

_IMAGE = np.broadcast_to(np.zeros(3, np.uint8), (SIZE_PX[1], SIZE_PX[0], 3))


def line(velocity_mps: tuple[float, float], start_m: tuple[float, float]) -> Path:
    """A path at constant velocity."""
    return lambda times: np.array(start_m) + times[:, None] * np.array(velocity_mps)


def turn(speed_mps: float, start_m: tuple[float, float], rate_rad_per_s: float = 0.4) -> Path:
    """A path on a circle that starts along x."""

    def path(times: FloatArray) -> FloatArray:
        angles = rate_rad_per_s * times
        return np.array(start_m) + speed_mps / rate_rad_per_s * np.stack([np.sin(angles), 1 - np.cos(angles)], axis=1)

    return path


STANDING = line((0.0, 0.0), (0.0, 0.0))


@dataclass(frozen=True)
class SyntheticDrive:
    """Paths of objects by id, all cars, and of the recording car, which looks along x all the time."""

    paths: dict[int, Path]
    instants: int = 40
    car: Path = STANDING
    labels: dict[int, int] | None = None

    @property
    def timestamps_ns(self) -> IntArray:
        return START_NS + FRAME_NS * np.arange(self.instants, dtype=np.int64)

    @property
    def times_s(self) -> FloatArray:
        return np.arange(self.instants) * FRAME_NS * 1e-9

    def label(self, identity: int) -> int:
        return (self.labels or {}).get(identity, 0)

    def objects(self) -> ObjectTable:
        """The true objects in the world."""
        ids = np.repeat(list(self.paths), self.instants)
        centres = np.concatenate([path(self.times_s) for path in self.paths.values()])
        velocities = np.concatenate(
            [np.gradient(path(self.times_s), FRAME_NS * 1e-9, axis=0) for path in self.paths.values()]
        )
        return ObjectTable(
            timestamps_ns=np.tile(self.timestamps_ns, len(self.paths)),
            ids=ids,
            labels=np.array([self.label(identity) for identity in ids.tolist()]),
            scores=np.ones(len(ids)),
            centres_m=np.column_stack([centres, np.full(len(ids), HEIGHT_M / 2)]),
            sizes_lwh_m=np.tile([4.5, WIDTH_M, HEIGHT_M], (len(ids), 1)),
            yaws_rad=np.arctan2(velocities[:, 1], velocities[:, 0]),
            speeds_mps=np.linalg.norm(velocities, axis=1),
        )

    def boxes(self, *, visible: Callable[[int, int, str], float] | None = None) -> BoxTable:
        """The true boxes in all cameras; ``visible`` gives the share of (instant, id, camera)."""
        rows = [
            (instant, identity, camera, box)
            for identity, path in self.paths.items()
            for instant, position in enumerate(path(self.times_s) - self.car(self.times_s))
            for camera, box in views(position).items()
        ]
        return BoxTable(
            frame_indices=np.array([row[0] for row in rows], np.int64),
            ids=np.array([row[1] for row in rows], np.int64),
            labels=np.array([self.label(row[1]) for row in rows], np.int64),
            scores=np.ones(len(rows)),
            boxes_xyxy_px=np.array([row[3] for row in rows]).reshape(-1, 4),
            cameras=np.array([row[2] for row in rows], dtype="U8"),
            visible_shares=None if visible is None else np.array([visible(*row[:3]) for row in rows], np.float64),
        )

    def timeline(self) -> Timeline:
        frames = np.arange(self.instants)
        return Timeline(
            timestamps_ns=self.timestamps_ns,
            instant_of_frame=dict.fromkeys(CAMERA_YAWS_RAD, frames),
            image_sizes_px=dict.fromkeys(CAMERA_YAWS_RAD, SIZE_PX),
            vehicle_poses=dict(enumerate(self.poses())),
        )

    def poses(self) -> list[FloatArray]:
        """``world_from_vehicle`` at each instant."""
        poses = np.tile(np.eye(4), (self.instants, 1, 1))
        poses[:, :2, 3] = self.car(self.times_s)
        return list(poses)

    def scenes(
        self,
        *,
        identity: Callable[[int, int], int] = lambda instant, identity: identity,
        error_m: Callable[[FloatArray], FloatArray] = np.zeros_like,
        forecast: Forecasting | None = None,
        found: Callable[[int, int], bool] = lambda instant, identity: True,
    ) -> list[Scene]:
        """Scenes of a run that finds what the cameras see, but names it ``identity(instant, id)`` and places it
        ``error_m(offsets from the car)`` off; ``found(instant, id)`` says what it finds at all."""
        positions = {key: path(self.times_s) for key, path in self.paths.items()}
        speeds = {key: np.gradient(position, FRAME_NS * 1e-9, axis=0) for key, position in positions.items()}
        car = self.car(self.times_s)
        scenes = []
        for instant in range(self.instants):
            seen = [
                (key, views(position[instant] - car[instant]))
                for key, position in positions.items()
                if found(instant, key) and views(position[instant] - car[instant])
            ]
            names = np.array([identity(instant, key) for key, _ in seen], np.int64)
            true = np.array([positions[key][instant] for key, _ in seen]).reshape(-1, 2)
            centres = true + error_m(true - car[instant])
            velocities = np.array([speeds[key][instant] for key, _ in seen]).reshape(-1, 2)
            labels = np.array([self.label(key) for key, _ in seen], np.int64)
            scenes.append(
                _scene(
                    instant,
                    int(self.timestamps_ns[instant]),
                    self.poses()[instant],
                    _tracks(names, labels, centres, velocities, [boxes for _, boxes in seen]),
                    None if forecast is None else forecast(centres, velocities, names, instant),
                )
            )
        return scenes

    def evaluated(
        self, scenes: Sequence[Scene], *, title: str = "drive", truth: BoxTable | None = None
    ) -> EvaluatedRun:
        recorder = RunRecorder()
        for scene in scenes:
            recorder.add(scene)
        return EvaluatedRun.of(
            title=title,
            run=recorder.tables(),
            truth=self.boxes() if truth is None else truth,
            timeline=self.timeline(),
            objects=self.objects(),
        )


def views(offset_m: FloatArray) -> dict[str, tuple[float, float, float, float]]:
    """The box in each camera that sees an object ``offset_m`` (2,) from the car."""
    distance_m, bearing_rad = float(np.hypot(*offset_m)), float(np.arctan2(offset_m[1], offset_m[0]))
    boxes = {}
    for camera, yaw_rad in CAMERA_YAWS_RAD.items():
        aside_rad = (bearing_rad - yaw_rad + np.pi) % (2 * np.pi) - np.pi
        if abs(aside_rad) < HALF_VIEW_RAD and distance_m > 1:
            depth_m = distance_m * np.cos(aside_rad)
            u, v = 320 - FOCAL_PX * np.tan(aside_rad), 180 + FOCAL_PX * 1.5 / depth_m
            half_width, height = FOCAL_PX * WIDTH_M / depth_m / 2, FOCAL_PX * HEIGHT_M / depth_m
            boxes[camera] = (u - half_width, v - height, u + half_width, v)
    return boxes


def straight_on(centres: FloatArray, velocities: FloatArray, ids: IntArray, instant: int) -> FloatArray:
    """One future at constant velocity."""
    times = DT_S * np.arange(1, STEPS + 1)
    return (centres[:, None] + velocities[:, None] * times[:, None])[:, None]


def knowing(drive: SyntheticDrive) -> Forecasting:
    """Two futures: the true one and one 8 m aside, the wrong one likelier."""

    def forecast(centres: FloatArray, velocities: FloatArray, ids: IntArray, instant: int) -> FloatArray:
        times = instant * FRAME_NS * 1e-9 + DT_S * np.arange(1, STEPS + 1)
        true = np.array([drive.paths[identity](times) for identity in ids.tolist()]).reshape(-1, STEPS, 2)
        return np.stack([true, true + np.array([0.0, 8.0])], axis=1)

    return forecast


def _tracks(
    ids: IntArray,
    labels: IntArray,
    centres: FloatArray,
    velocities: FloatArray,
    boxes: Sequence[dict[str, tuple[float, float, float, float]]],
) -> Tracks:
    count = len(ids)
    sizes = np.tile([WIDTH_M, HEIGHT_M], (count, 1))
    seen = [(name, camera, box) for name, of in zip(ids.tolist(), boxes, strict=True) for camera, box in of.items()]
    best = [next(iter(of.items())) for of in boxes]
    return Tracks(
        ids=ids,
        labels=labels,
        scores=np.full(count, 0.9),
        means=np.concatenate([centres, sizes, velocities, np.zeros((count, 2))], axis=1),
        covariances=np.tile(0.01 * np.eye(8), (count, 1, 1)),
        boxes_xyxy_px=np.array([box for _, box in best], np.float64).reshape(-1, 4),
        cameras=np.array([camera for camera, _ in best], dtype="U8"),
        image_sizes_px=np.tile(SIZE_PX, (count, 1)).astype(np.int64),
        ages_s=np.zeros(count),
        unseen_s=np.zeros(count),
        features=np.zeros((count, 0), np.float32),
        reference_frame="ground",
        headings_rad=np.arctan2(velocities[:, 1], velocities[:, 0]),
        sightings=Sightings(
            track_ids=np.array([name for name, _, _ in seen], np.int64),
            cameras=np.array([camera for _, camera, _ in seen], dtype="U8"),
            boxes_xyxy_px=np.array([box for _, _, box in seen], np.float64).reshape(-1, 4),
            scores=np.full(len(seen), 0.9),
        ),
    )


def _scene(instant: int, timestamp_ns: int, pose: FloatArray | None, tracks: Tracks, means: FloatArray | None) -> Scene:
    assert tracks.sightings is not None
    frames = tuple(Frame(_IMAGE, camera, timestamp_ns, instant) for camera in CAMERA_YAWS_RAD)
    detections = {}
    for camera in CAMERA_YAWS_RAD:
        own = tracks.sightings[tracks.sightings.cameras == camera]
        rows = [int(np.flatnonzero(tracks.ids == track_id)[0]) for track_id in own.track_ids]
        detections[camera] = Detections(
            boxes_xyxy_px=own.boxes_xyxy_px,
            scores=own.scores,
            labels=tracks.labels[rows],
            features=np.zeros((len(own), 0), np.float32),
            camera=camera,
            image_size_px=SIZE_PX,
        )
    count = len(tracks)
    means = np.zeros((count, 1, STEPS, 2)) if means is None else means
    modes = means.shape[1]
    shares = np.array([1.0]) if modes == 1 else np.r_[0.25, np.full(modes - 1, 0.75 / (modes - 1))]
    forecasts = Forecasts(
        track_ids=tracks.ids,
        probabilities=np.tile(shares, (count, 1)),
        means=means,
        stds=np.ones_like(means),
        dt_s=DT_S,
        reference_frame="ground",
        axes_rad=np.zeros(count),
    )
    return Scene(
        frame_set=FrameSet(frames, timestamp_ns, instant, pose),
        detections=detections,
        tracks=tracks,
        forecasts=forecasts,
        stage_ms={"detect": 50.0, "track": 4.0, "forecast": 6.0},
    )
