"""``perception train forecaster``: TrajectoryGRU from tracks to weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from perception.errors import UsageError
from perception.evaluation.benchmarks import evaluate_jaad
from perception.forecasting.gru import Futures, GruConfig, TrajectoryGRU
from perception.forecasting.jaad import OBSERVED, PREDICTED, JaadTracks, read_jaad
from perception.forecasting.motion import MotionState, scale_of
from perception.forecasting.offline import encode_sequences, predict_expected
from perception.training.forecast_data import (
    GRID_FPS,
    GRID_STEPS,
    TrackSet,
    Windows,
    from_jaad,
    join,
    windows_at,
)
from perception.training.loop import Task, TrainingSettings, Validation
from perception.training.observing import observe_recording
from perception.types import CLASSES, Detector

GRID_TIMES_S = GRID_STEPS / GRID_FPS
_REFERENCE_SIZE_PX = (1920.0, 1080.0)
_RMSE_SCALE_PX = 20.0


class RecordingData(BaseModel):
    """A recording, tracked by our own detector and tracker at every ``stride``-th frame; see ``observe_recording``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    strides: tuple[int, ...] = (1,)


class ForecasterTraining(BaseModel):
    """The file behind ``perception train forecaster --config``; paths are relative to the ``--data`` folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    jaad: Path | None = None
    train: tuple[RecordingData, ...] = ()
    validation: tuple[RecordingData, ...] = ()
    recording_share: float = Field(0.3, ge=0, le=1, description="share of the batches that come from recordings")
    feature_dropout: float = Field(0.3, ge=0, le=1, description="share of the windows that lose their features")
    dropout: float = Field(0.1, ge=0, lt=1)
    hidden_size: int = Field(160, gt=0)
    likelihood_weight: float = Field(0.1, ge=0)
    image_size_px: int | None = Field(None, description="the detector's input while tracking the recordings")
    settings: TrainingSettings = TrainingSettings(
        steps=8000,
        batch_size=256,
        learning_rate=2e-3,
        weight_decay=0.01,
        average_decay=0.999,
        half=False,
        clip_norm=2.0,
    )


@dataclass(frozen=True)
class ForecasterData:
    """``jaad_validation`` keeps the protocol's windows; the sets are for learning and for choosing."""

    jaad: TrackSet | None
    jaad_validation: JaadTracks | None
    recordings: TrackSet | None
    recordings_validation: TrackSet | None


def load_forecaster_data(config: ForecasterTraining, root: Path, observer: Detector) -> ForecasterData:
    """Read JAAD and track the recordings with ``observer``; paths are relative to ``root``."""
    jaad = root / config.jaad if config.jaad is not None else None

    def observe(recordings: tuple[RecordingData, ...]) -> TrackSet | None:
        sets = [s for r in recordings for s in observe_recording(root / r.path, observer, strides=r.strides)]
        return join(sets) if sets else None

    return ForecasterData(
        jaad=from_jaad(read_jaad(jaad, "train")) if jaad else None,
        jaad_validation=read_jaad(jaad, "val") if jaad else None,
        recordings=observe(config.train),
        recordings_validation=observe(config.validation),
    )


def encode_windows(model: TrajectoryGRU, windows: Windows) -> tuple[Tensor, MotionState]:
    """The decoder's input (N, E) after the observed boxes, and the motion at the last one."""
    return encode_sequences(model, windows.boxes, windows.dt_s, windows.unseen_s, windows.labels, windows.features)


def forecast_loss(
    futures: Futures, windows: Windows, state: MotionState, *, likelihood_weight: float
) -> dict[str, Tensor]:
    """Root mean squared error of the mean future, and the likelihood of the best of the K futures.

    The first makes the one output good, the second gives the futures their variety, probabilities and spreads.
    """
    known = windows.known.float()
    some = known.sum(dim=1) > 0
    size = windows.futures.new_tensor(_REFERENCE_SIZE_PX * 2)
    corners = [
        torch.cat([b[..., :2] - b[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2], -1) * size
        for b in (futures.expected, windows.futures)
    ]
    squared = (corners[0] - corners[1]).square().mean(dim=-1)
    near = torch.from_numpy(GRID_STEPS <= PREDICTED).to(known.device) * known
    rmse = [
        ((squared * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1) + 1e-2).sqrt()[some].mean() / _RMSE_SCALE_PX
        for mask in (near, known)
    ]
    scale = scale_of(state.boxes)[:, None, None, :]
    difference = (futures.means - windows.futures[:, None]) / scale
    weight = known[:, None, :, None]
    count = known.sum(dim=1).clamp(min=1) * 4
    with torch.no_grad():
        best = (difference.square() * weight).sum(dim=(2, 3)).argmin(dim=1)
    rows = torch.arange(len(best), device=best.device)
    deviation = (futures.stds / scale)[rows, best]
    gaussian = 0.5 * (difference[rows, best] / deviation).square().clamp(max=100.0) + deviation.log()
    likelihood = ((gaussian * weight[:, 0]).sum(dim=(1, 2)) / count)[some].mean()
    choice = -futures.log_probabilities[rows, best][some].mean()
    total = rmse[0] + 0.5 * rmse[1] + likelihood_weight * (likelihood + choice)
    return {"total": total, "rmse_1_5_s": rmse[0], "rmse_3_s": rmse[1], "likelihood": likelihood, "choice": choice}


def forecaster_task(
    config: ForecasterTraining, data: ForecasterData, *, feature_space: str, feature_size: int, device: torch.device
) -> Task[Windows]:
    """What ``loop.train`` needs."""
    torch.manual_seed(config.settings.seed)
    model = TrajectoryGRU(
        GruConfig(
            hidden_size=config.hidden_size,
            dropout=config.dropout,
            feature_size=feature_size,
            feature_space=feature_space,
        )
    )
    times = torch.from_numpy(GRID_TIMES_S).float().to(device)

    def draw_batch(step: int) -> Windows:
        return draw_windows(config, data, np.random.default_rng([config.settings.seed, step]))

    def loss_of(network: nn.Module, windows: Windows) -> dict[str, Tensor]:
        assert isinstance(network, TrajectoryGRU)
        encoded, state = encode_windows(network, windows)
        futures = network.decode(encoded, state, times)
        return forecast_loss(futures, windows, state, likelihood_weight=config.likelihood_weight)

    def validate(network: nn.Module) -> Validation:
        assert isinstance(network, TrajectoryGRU)
        return validate_forecaster(network, data, config)

    return Task(model, draw_batch, loss_of, validate)


def draw_windows(config: ForecasterTraining, data: ForecasterData, rng: np.random.Generator) -> Windows:
    """One batch: a random past of a random rate, half of the time the one that the benchmark observes."""
    from_recordings = data.jaad is None or (data.recordings is not None and rng.random() < config.recording_share)
    tracks = data.recordings if from_recordings else data.jaad
    if tracks is None:
        raise UsageError("The configuration names neither jaad nor recordings to train from.")
    if from_recordings:
        length, stride = int(rng.integers(2, 13)), 1
    elif rng.random() < 0.6:
        length, stride = OBSERVED, 1
    else:
        length, stride = int(rng.integers(2, 20)), int(rng.integers(1, 7))
    while not len(ends := tracks.ends(length, stride)):
        if length == 1:
            raise UsageError("The recordings: no track of our detector overlaps an object whose future is known.")
        length //= 2
    chosen = rng.choice(ends, size=config.settings.batch_size)
    return _augment(windows_at(tracks, chosen, length=length, stride=stride), rng, config.feature_dropout)


def _augment(windows: Windows, rng: np.random.Generator, feature_dropout: float) -> Windows:
    """Mirror half of the windows, move and magnify a third, change some classes, take the features from some."""
    count = len(windows.boxes)
    mirror = torch.from_numpy(rng.random(count) < 0.5)
    zoom = torch.from_numpy(np.where(rng.random(count) < 0.33, np.exp(rng.uniform(-0.25, 0.25, count)), 1.0)).float()
    shift = torch.from_numpy(
        np.where((zoom != 1.0).numpy()[:, None], rng.uniform(-0.05, 0.05, (count, 2)), 0.0)
    ).float()

    def moved(boxes: Tensor) -> Tensor:
        centre = (boxes[..., :2] - 0.5) * zoom[:, None, None] + 0.5 + shift[:, None]
        x = torch.where(mirror[:, None], 1.0 - centre[..., 0], centre[..., 0])
        return torch.cat([x[..., None], centre[..., 1:], boxes[..., 2:] * zoom[:, None, None]], dim=-1)

    features = windows.features
    if features is not None:
        features = features * torch.from_numpy(rng.random(count) >= feature_dropout)[:, None, None]
    # The classes of a data set must not stand for its cameras: cars of one fixed camera all drive the same way.
    other = torch.from_numpy(rng.integers(len(CLASSES), size=count))
    labels = torch.where(torch.from_numpy(rng.random(count) < 0.2), other, windows.labels)
    return Windows(
        moved(windows.boxes),
        windows.dt_s,
        windows.unseen_s,
        features,
        labels,
        moved(windows.futures),
        windows.known,
    )


def recording_displacements(model: TrajectoryGRU, tracks: TrackSet, *, history: int = 10) -> dict[str, float]:
    """Mean distance of the centre, in thousandths of the image, at 1, 2 and 3 s over all rows with a known future."""
    steps = [int(np.flatnonzero(30 * second == GRID_STEPS)[0]) for second in (1, 2, 3)]
    sums, counts = np.zeros(3), np.zeros(3)
    for length in range(2, history + 1):
        ends = tracks.ends(length, 1)
        if length < history:  # rows with a longer past are left to a longer length
            ends = np.setdiff1d(ends, tracks.ends(length + 1, 1))
        if not len(ends):
            continue
        windows = windows_at(tracks, ends, length=length, stride=1)
        predicted = predict_expected(
            model,
            windows.boxes.numpy(),
            dt_s=windows.dt_s.numpy(),
            unseen_s=windows.unseen_s.numpy(),
            labels=windows.labels.numpy(),
            features=None if windows.features is None else windows.features.numpy(),
            times_s=GRID_TIMES_S[steps],
        )
        distance = np.linalg.norm((predicted - windows.futures[:, steps].numpy())[..., :2], axis=-1) * 1000
        known = windows.known[:, steps].numpy()
        sums += (distance * known).sum(axis=0)
        counts += known.sum(axis=0)
    return {
        f"FDE {second} s (1/1000)": float(s / max(c, 1)) for second, s, c in zip((1, 2, 3), sums, counts, strict=True)
    }


def validate_forecaster(model: TrajectoryGRU, data: ForecasterData, config: ForecasterTraining) -> Validation:
    """Chosen by JAAD's MSE at 1.5 s and the recordings' FDE at 2 s, each as a root or distance, multiplied."""
    figures: dict[str, float] = {}
    score, losses = 0.0, []
    if data.jaad_validation is not None:
        errors = evaluate_jaad(model, data.jaad_validation).means()
        figures |= {f"JAAD {name}": value for name, value in errors.items()}
        score -= 0.5 * float(np.log(errors["mse_1_5_s"]))
        losses.append(_loss_on(model, from_jaad(data.jaad_validation), config, OBSERVED))
    if data.recordings_validation is not None:
        displacements = recording_displacements(model, data.recordings_validation)
        figures |= displacements
        score -= float(np.log(displacements["FDE 2 s (1/1000)"]))
        losses.append(_loss_on(model, data.recordings_validation, config, 6))
    return Validation(float(np.mean(losses)), score, figures)


@torch.inference_mode()
def _loss_on(model: TrajectoryGRU, tracks: TrackSet, config: ForecasterTraining, length: int) -> float:
    ends = tracks.ends(length, 1)
    windows = windows_at(tracks, ends[:: max(1, len(ends) // 2000)], length=length, stride=1)
    encoded, state = encode_windows(model, windows)
    futures = model.decode(encoded, state, torch.from_numpy(GRID_TIMES_S).float())
    return float(forecast_loss(futures, windows, state, likelihood_weight=config.likelihood_weight)["total"])
