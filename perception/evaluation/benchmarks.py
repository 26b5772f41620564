"""Public forecasting benchmarks, by their own protocols, with constant velocity beside the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from perception.forecasting.gru import TrajectoryGRU
from perception.forecasting.jaad import (
    FRAME_RATE_FPS,
    OBSERVED,
    PREDICTED,
    JaadErrors,
    JaadTracks,
    constant_velocity_kalman,
    jaad_errors,
)
from perception.forecasting.offline import predict_expected
from perception.types import CLASSES, FloatArray

PROTOCOL_STRIDE = 7


@dataclass(frozen=True)
class JaadReport:
    """Mean errors in squared pixels of the ``model`` and of ``constant_velocity`` on the same windows.

    ``ratio`` is model over constant velocity for each figure, ``ratio_interval`` its 95 % interval by bootstrap over
    the videos, which are what is independent.
    """

    windows: int
    videos: int
    model: dict[str, float]
    constant_velocity: dict[str, float]
    ratio: dict[str, float]
    ratio_interval: dict[str, tuple[float, float]]

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``report.json``."""
        return dict(vars(self))


def evaluate_jaad(model: TrajectoryGRU, jaad: JaadTracks, *, stride: int = PROTOCOL_STRIDE) -> JaadErrors:
    """The errors of the one output from observed boxes alone, one number per window."""
    observed, actual, sizes = _windows(jaad, stride)
    scale = np.tile(sizes, 2)[:, None]
    corners = observed / scale
    boxes = np.concatenate([(corners[..., :2] + corners[..., 2:]) / 2, corners[..., 2:] - corners[..., :2]], axis=-1)
    dt = np.full(boxes.shape[:2], 1 / FRAME_RATE_FPS)
    dt[:, 0] = 0
    predicted = predict_expected(
        model,
        boxes,
        dt_s=dt,
        labels=np.full(len(boxes), CLASSES.index("pedestrian")),
        times_s=np.arange(1, PREDICTED + 1) / FRAME_RATE_FPS,
    )
    half = predicted[..., 2:] / 2
    return jaad_errors(np.concatenate([predicted[..., :2] - half, predicted[..., :2] + half], axis=-1) * scale, actual)


def evaluate_jaad_constant_velocity(jaad: JaadTracks, *, stride: int = PROTOCOL_STRIDE) -> JaadErrors:
    """The published Kalman baseline; with ``stride`` 2 on the test split it checks the loader."""
    observed, actual, _ = _windows(jaad, stride)
    return jaad_errors(constant_velocity_kalman(observed, PREDICTED), actual)


def jaad_report(model: TrajectoryGRU, jaad: JaadTracks, *, rng: np.random.Generator, samples: int = 2000) -> JaadReport:
    """Both forecasters on the protocol's windows, and how sure their ratio is."""
    ours, baseline = evaluate_jaad(model, jaad), evaluate_jaad_constant_velocity(jaad)
    _, tracks = jaad.windows(PROTOCOL_STRIDE)
    _, video = np.unique(jaad.videos[tracks], return_inverse=True)
    draws = rng.multinomial(video.max() + 1, np.full(video.max() + 1, 1 / (video.max() + 1)), size=samples)
    intervals = {}
    for name in JaadErrors.__dataclass_fields__:
        sums = [draws @ np.bincount(video, getattr(errors, name)) for errors in (ours, baseline)]
        low, high = np.percentile(sums[0] / sums[1], [2.5, 97.5])
        intervals[name] = (float(low), float(high))
    means, baseline_means = ours.means(), baseline.means()
    return JaadReport(
        windows=len(tracks),
        videos=int(video.max()) + 1,
        model=means,
        constant_velocity=baseline_means,
        ratio={name: means[name] / baseline_means[name] for name in means},
        ratio_interval=intervals,
    )


def _windows(jaad: JaadTracks, stride: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Observed (w, 15, 4) and future (w, 45, 4) boxes in pixels, and image sizes (w, 2)."""
    firsts, tracks = jaad.windows(stride)
    boxes = jaad.boxes_xyxy_px[firsts[:, None] + np.arange(OBSERVED + PREDICTED)]
    return boxes[:, :OBSERVED], boxes[:, OBSERVED:], jaad.sizes_px[tracks].astype(np.float64)
