"""Scenes made by hand."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from perception.geometry.cameras import Camera, Rig
from perception.types import Detections, Forecasts, Frame, FrameSet, Scene, Sightings, Tracks

SIZE_PX = (320, 240)


def make_tracks(
    boxes: Sequence[Sequence[float]],
    ids: Sequence[int] | None = None,
    *,
    cameras: Sequence[str] | None = None,
    unseen_s: Sequence[float] | None = None,
) -> Tracks:
    count = len(boxes)
    return Tracks(
        ids=np.array(ids if ids is not None else range(1, count + 1), np.int64),
        labels=np.arange(count) % 6,
        scores=np.linspace(0.9, 0.5, count),
        means=np.zeros((count, 8)),
        covariances=np.zeros((count, 8, 8)),
        boxes_xyxy_px=np.array(boxes, np.float64).reshape(count, 4),
        cameras=np.array(cameras if cameras is not None else ["front"] * count, dtype="U16"),
        image_sizes_px=np.tile(SIZE_PX, (count, 1)),
        ages_s=np.ones(count),
        unseen_s=np.array(unseen_s if unseen_s is not None else [0.0] * count, np.float64),
        features=np.zeros((count, 0), np.float32),
    )


def make_forecasts(
    tracks: Tracks,
    velocities: Sequence[Sequence[float]],
    probabilities: Sequence[float] = (1.0,),
    *,
    steps: int = 20,
    dt_s: float = 0.1,
    std: float = 0.01,
) -> Forecasts:
    """Mode k of each track moves with velocities[k], in image widths and heights per second."""
    size = np.array(SIZE_PX)
    low, high = tracks.boxes_xyxy_px[:, :2] / size, tracks.boxes_xyxy_px[:, 2:] / size
    now = np.concatenate([(low + high) / 2, high - low], axis=1)
    times_s = (np.arange(steps) + 1) * dt_s
    means = np.repeat(now[:, None, None], len(velocities), axis=1).repeat(steps, axis=2)
    means[..., :2] += np.array(velocities, np.float64)[:, None] * times_s[:, None]
    modes = np.tile(np.array(probabilities, np.float64), (len(tracks), 1))
    return Forecasts(track_ids=tracks.ids, probabilities=modes, means=means, stds=np.full(means.shape, std), dt_s=dt_s)


def make_scene(
    tracks: Tracks | None = None,
    forecasts: Forecasts | None = None,
    *,
    index: int = 0,
    timestamp_ns: int = 0,
    cameras: Sequence[str] = ("front",),
    detections: Sequence[Detections] = (),
    stage_ms: dict[str, float] | None = None,
    size_px: tuple[int, int] = SIZE_PX,
    world_from_vehicle: np.ndarray | None = None,
) -> Scene:
    image = np.full((size_px[1], size_px[0], 3), 90, np.uint8)
    frames = tuple(Frame(image, camera, timestamp_ns, index) for camera in cameras)
    return Scene(
        frame_set=FrameSet(frames, timestamp_ns, index, world_from_vehicle),
        detections={found.camera: found for found in detections},
        tracks=tracks if tracks is not None else Tracks.empty(),
        forecasts=forecasts if forecasts is not None else Forecasts.empty(),
        stage_ms=stage_ms or {},
    )


def make_camera(name: str, yaw_deg: float, *, size_px: tuple[int, int] = (640, 360), fov_deg: float = 70.0) -> Camera:
    """A level camera 1.5 m above the vehicle's origin that appearance_seeds ``yaw_deg`` to the left of ahead."""
    yaw = np.radians(yaw_deg)
    forward, right = np.array([np.cos(yaw), np.sin(yaw), 0]), np.array([np.sin(yaw), -np.cos(yaw), 0])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, [0, 0, -1], forward], axis=1)
    pose[:3, 3] = [0, 0, 1.5]
    focal_px = size_px[0] / 2 / np.tan(np.radians(fov_deg) / 2)
    intrinsics = np.array([[focal_px, 0, size_px[0] / 2], [0, focal_px, size_px[1] / 2], [0, 0, 1]])
    return Camera(name, size_px, intrinsics, pose)


def make_rig(yaws_deg: dict[str, float], *, road_height_m: float = 0.0, **options: object) -> Rig:
    return Rig({name: make_camera(name, yaw, **options) for name, yaw in yaws_deg.items()}, road_height_m)


def make_ground_tracks(
    positions_m: Sequence[Sequence[float]],
    ids: Sequence[int] | None = None,
    *,
    labels: Sequence[int] | None = None,
    velocities_mps: Sequence[Sequence[float]] | None = None,
    headings_rad: Sequence[float] | None = None,
    unseen_s: Sequence[float] | None = None,
    sightings: Sequence[tuple[int, str, Sequence[float]]] = (),
) -> Tracks:
    """Tracks at positions (x, y) in the world; ``sightings`` are (id, camera, box)."""
    count = len(positions_m)
    means = np.zeros((count, 8))
    means[:, :2] = np.array(positions_m, np.float64).reshape(count, 2)
    means[:, 2:4] = 1.6
    if velocities_mps is not None:
        means[:, 4:6] = velocities_mps
    tracks = make_tracks([[0, 0, 1, 1]] * count, ids, unseen_s=unseen_s)
    return replace(
        tracks,
        labels=np.array(labels if labels is not None else [0] * count, np.int64),
        means=means,
        reference_frame="ground",
        headings_rad=np.array(headings_rad if headings_rad is not None else [0.0] * count, np.float64),
        sightings=Sightings(
            track_ids=np.array([row[0] for row in sightings], np.int64),
            cameras=np.array([row[1] for row in sightings], dtype="U16"),
            boxes_xyxy_px=np.array([row[2] for row in sightings], np.float64).reshape(len(sightings), 4),
            scores=np.full(len(sightings), 0.75),
        ),
    )


def make_ground_forecasts(
    tracks: Tracks,
    velocities_mps: Sequence[Sequence[float]],
    probabilities: Sequence[float] = (1.0,),
    *,
    steps: int = 16,
    dt_s: float = 0.25,
    stds: tuple[float, float] = (0.0, 0.0),
) -> Forecasts:
    """Mode k of each track moves with velocities[k] in the world; ``stds`` along and across its heading."""
    times_s = (np.arange(steps) + 1) * dt_s
    ways = np.array(velocities_mps, np.float64)[:, None] * times_s[:, None]
    means = tracks.means[:, None, None, :2] + ways
    modes = np.tile(np.array(probabilities, np.float64), (len(tracks), 1))
    spreads = np.broadcast_to(np.array(stds, np.float64), means.shape).copy()
    return Forecasts(
        track_ids=tracks.ids,
        probabilities=modes,
        means=means,
        stds=spreads,
        dt_s=dt_s,
        reference_frame="ground",
        axes_rad=tracks.headings_rad,
    )


@pytest.fixture
def rig_of() -> Callable[..., Rig]:
    return make_rig


@pytest.fixture
def ground_tracks_of() -> Callable[..., Tracks]:
    return make_ground_tracks


@pytest.fixture
def ground_forecasts_of() -> Callable[..., Forecasts]:
    return make_ground_forecasts


@pytest.fixture
def tracks_of() -> Callable[..., Tracks]:
    return make_tracks


@pytest.fixture
def forecasts_of() -> Callable[..., Forecasts]:
    return make_forecasts


@pytest.fixture
def scene_of() -> Callable[..., Scene]:
    return make_scene


@pytest.fixture
def file_size_limit() -> Callable[[int], object]:
    """A context manager under which no file of this process grows beyond so many bytes: the kernel refuses."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def limit(size_bytes: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit
