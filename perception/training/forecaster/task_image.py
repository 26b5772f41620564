"""What TrajectoryGRU learns in the image: JAAD's pedestrians, and recordings tracked by our own detector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from perception.arrays import IntArray
from perception.benchmarks.jaad import JAAD, OBSERVED, PREDICTED, JaadTracks, from_jaad, protocol
from perception.benchmarks.prediction import predict
from perception.errors import UsageError
from perception.forecasting.batch_prediction import predict_windows
from perception.forecasting.features.image_motion import BOX, STD, ImageMotion
from perception.forecasting.features.motion import MotionState
from perception.forecasting.interaction import NEIGHBOURS
from perception.forecasting.track_dataset import IMAGE_GRID, TrackSet, Windows, join, windows_at
from perception.forecasting.trajectory_gru import Futures, TrajectoryGRU
from perception.taxonomy import CLASSES
from perception.training.engine.trainer import LEARNT_LOSS, Validation
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.loss import LossWeights, futures_loss, masked_mean, mixture_log_likelihoods

_REFERENCE_SIZE_PX = (1920.0, 1080.0)
_RMSE_SCALE_PX = 20.0
_BATCH = 1024
_VALIDATED_ROWS = 2000
_USUAL_PAST = 6
_STEPS = np.array(IMAGE_GRID.steps)


class ImageLessons:
    """Batches, loss and choice of weights in the image frame; see ``Lessons``.

    ``jaad_validation`` keeps the protocol's windows; the other sets are for learning and for choosing.
    """

    grid = IMAGE_GRID

    def __init__(
        self,
        config: ForecasterTraining,
        jaad: TrackSet | None,
        jaad_validation: JaadTracks | None,
        recordings: TrackSet | None,
        recordings_validation: Mapping[str, TrackSet],
    ) -> None:
        self._config = config
        self._jaad, self._jaad_validation = jaad, jaad_validation
        self._recordings, self._recordings_validation = recordings, recordings_validation

    def draw(self, rng: np.random.Generator) -> Windows:
        """One batch: a random past of a random rate, half of the time the one that the benchmark observes."""
        config = self._config
        from_recordings = self._jaad is None or (self._recordings is not None and rng.random() < config.recording_share)
        tracks = self._recordings if from_recordings else self._jaad
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
        heard = NEIGHBOURS if config.interaction_dim and rng.random() >= config.neighbour_dropout else 0
        chosen = tracks.sample(ends, config.settings.batch_size, rng, together=heard > 0)
        windows = windows_at(tracks, chosen, length=length, stride=stride, neighbours=heard)
        return _augment(windows, rng, config.feature_dropout)

    def loss(self, futures: Futures, windows: Windows, state: MotionState) -> dict[str, Tensor]:
        """See ``image_loss``."""
        return image_loss(futures, windows, state, weights=self._config.loss)

    def validate(self, model: TrajectoryGRU) -> Validation:
        """Chosen by JAAD's MSE at 1.5 s and the recordings' FDE at 2 s, each as a root or distance, multiplied."""
        figures: dict[str, float] = {}
        score, losses = 0.0, []
        if self._jaad is not None:
            figures[LEARNT_LOSS] = self._loss_on(model, self._jaad, OBSERVED)
        if self._jaad_validation is not None:
            targets = protocol(self._jaad_validation)
            predicted = predict(model, targets, JAAD, neighbours=False)
            errors = JAAD.errors(predicted, targets.futures(JAAD.steps))
            figures |= {f"JAAD {name}": float(values.mean()) for name, values in errors.items()}
            score -= 0.5 * float(np.log(figures["JAAD MSE 1.5 s"]))
            losses.append(self._loss_on(model, from_jaad(self._jaad_validation), OBSERVED))
        if self._recordings_validation:
            together = join(self._recordings_validation.values())
            displacements = recording_displacements(model, together)
            figures |= displacements
            score -= float(np.log(displacements["FDE 2 s (1/1000)"]))
            losses.append(self._loss_on(model, together, _USUAL_PAST))
        return Validation(float(np.mean(losses)), score, figures)

    def unlearnt(self) -> dict[str, list[Windows]]:
        """Windows of JAAD, whose boxes are exact, and of recordings, whose boxes are tracked."""
        jaad = None if self._jaad_validation is None else from_jaad(self._jaad_validation)
        sets = {name: (tracks, _USUAL_PAST) for name, tracks in self._recordings_validation.items()}
        if jaad is not None:
            sets["JAAD"] = (jaad, OBSERVED)
        heard = NEIGHBOURS if self._config.interaction_dim else 0
        return {
            name: [windows_at(tracks, _some(tracks.ends(length, 1)), length=length, neighbours=heard)]
            for name, (tracks, length) in sets.items()
            if len(tracks.ends(length, 1))
        }

    @torch.inference_mode()
    def _loss_on(self, model: TrajectoryGRU, tracks: TrackSet, length: int) -> float:
        windows = windows_at(tracks, _some(tracks.ends(length, 1)), length=length)
        futures, state = predict_windows(model, windows, torch.from_numpy(IMAGE_GRID.times_s).float())
        return float(self.loss(futures, windows, state)["total"])


def _some(ends: IntArray) -> IntArray:
    return ends[:: max(1, len(ends) // _VALIDATED_ROWS)]


def image_loss(futures: Futures, windows: Windows, state: MotionState, *, weights: LossWeights) -> dict[str, Tensor]:
    """Root mean squared errors of the corners, up to 1.5 s and in all, in units of some pixels; see ``futures_loss``.

    Roots, so that one near pedestrian, whose box is large, does not outweigh the others.
    """
    known = windows.known.float()
    near = torch.from_numpy(_STEPS <= PREDICTED).to(known.device) * known
    some = known.sum(dim=1) > 0

    def errors(boxes: Tensor, true: Tensor, seen: Tensor, near: Tensor) -> Tensor:
        squared = (_corners_px(boxes) - _corners_px(true)).square().mean(dim=-1)
        roots = [(masked_mean(squared, mask) + 1e-2).sqrt() for mask in (near, seen)]
        return (roots[0] + 0.5 * roots[1]) / _RMSE_SCALE_PX

    scale = ImageMotion().scale(state)[:, None, None, :]
    differences = (windows.futures[:, None] - futures.means) / scale
    likelihoods = mixture_log_likelihoods(differences, futures.stds / scale, futures.log_probabilities)
    return futures_loss(
        errors=errors(futures.means, windows.futures[:, None], known[:, None], near[:, None])[some],
        mean_errors=errors(futures.expected, windows.futures, known, near)[some],
        likelihoods=-masked_mean(likelihoods, known)[some],
        log_probabilities=futures.log_probabilities[some],
        weights=weights,
    )


def _corners_px(boxes: Tensor) -> Tensor:
    """(..., 4) centre and size to corners, in pixels of the reference size."""
    half = boxes[..., 2:] / 2
    corners = torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], dim=-1)
    return corners * boxes.new_tensor(_REFERENCE_SIZE_PX * 2)


def _augment(windows: Windows, rng: np.random.Generator, feature_dropout: float) -> Windows:
    """Mirror, move and magnify the images, change some classes, take the features from some windows.

    Neighbours must be changed alike: each window with a draw of its own where nobody is heard, else all with one.
    """
    count = len(windows.labels)
    draws = 1 if windows.neighbours.shape[1] else count
    mirror = torch.from_numpy(rng.random(draws) < 0.5)
    zoomed = rng.random(draws) < 0.33
    zoom = torch.from_numpy(np.where(zoomed, np.exp(rng.uniform(-0.25, 0.25, draws)), 1.0)).float()
    shift = torch.from_numpy(np.where(zoomed[:, None], rng.uniform(-0.05, 0.05, (draws, 2)), 0.0)).float()

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
    return replace(
        windows,
        observations=torch.cat(
            [moved(windows.observations[..., BOX]), windows.observations[..., STD] * zoom[:, None, None]], dim=-1
        ),
        features=features,
        labels=labels,
        futures=moved(windows.futures),
    )


def recording_displacements(model: TrajectoryGRU, tracks: TrackSet, *, history: int = 10) -> dict[str, float]:
    """Mean distance of the centre, in thousandths of the image, at 1, 2 and 3 s over all rows with a known future.

    "FDE" of the mean over the futures, "CV" of the velocity over the last half second, continued.
    """
    seconds = (1, 2, 3)
    steps = [int(np.flatnonzero(30 * second == _STEPS)[0]) for second in seconds]
    times = torch.from_numpy(IMAGE_GRID.times_s[steps]).float()
    sums, counts, ends = np.zeros((2, 3)), np.zeros(3), tracks.ends(2, 1)
    for start in range(0, len(ends), _BATCH):
        heard = NEIGHBOURS if model.config.interaction_dim else 0
        windows = windows_at(tracks, ends[start : start + _BATCH], length=history, neighbours=heard)
        futures, state = predict_windows(model, windows, times)
        straight = state.observations[:, None, :2] + model.motion.velocities(state)[:, 1, None, :2] * times[:, None]
        known = windows.known[:, steps].numpy()
        for row, places in enumerate((futures.expected[..., :2], straight)):
            distance = (places - windows.futures[:, steps, :2]).norm(dim=-1).numpy() * 1000
            sums[row] += (distance * known).sum(axis=0)
        counts += known.sum(axis=0)
    means = sums / np.maximum(counts, 1)
    return {
        f"{name} {second} s (1/1000)": float(means[row, column])
        for row, name in enumerate(("FDE", "CV"))
        for column, second in enumerate(seconds)
    }
