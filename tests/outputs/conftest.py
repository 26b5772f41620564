"""Scenes made by hand."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest

from perception.types import Detections, Forecasts, Frame, FrameSet, Scene, Tracks

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
    return Forecasts(tracks.ids, modes, means, np.full(means.shape, std), dt_s)


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
) -> Scene:
    image = np.full((size_px[1], size_px[0], 3), 90, np.uint8)
    frames = tuple(Frame(image, camera, timestamp_ns, index) for camera in cameras)
    return Scene(
        frame_set=FrameSet(frames, timestamp_ns, index),
        detections={found.camera: found for found in detections},
        tracks=tracks if tracks is not None else Tracks.empty(),
        forecasts=forecasts if forecasts is not None else Forecasts.empty(),
        stage_ms=stage_ms or {},
    )


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
