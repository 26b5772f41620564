"""What TrajectoryGRU learns in the image: JAAD's pedestrians, and recordings tracked by our own detector."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from perception.errors import UsageError
from perception.evaluation.benchmarks import evaluate_jaad
from perception.forecasting.gru import Futures, TrajectoryGRU
from perception.forecasting.image_motion import ImageMotion
from perception.forecasting.jaad import OBSERVED, PREDICTED, JaadTracks
from perception.forecasting.motion import MotionState
from perception.forecasting.offline import encode_sequences, predict_expected
from perception.training.forecast_data import IMAGE_GRID, TrackSet, Windows, from_jaad, windows_at
from perception.training.forecast_settings import ForecasterTraining
from perception.training.loop import Validation
from perception.types import CLASSES

_REFERENCE_SIZE_PX = (1920.0, 1080.0)
_RMSE_SCALE_PX = 20.0
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
        recordings_validation: TrackSet | None,
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
        chosen = rng.choice(ends, size=config.settings.batch_size)
        return _augment(windows_at(tracks, chosen, length=length, stride=stride), rng, config.feature_dropout)

    def loss(self, futures: Futures, windows: Windows, state: MotionState) -> dict[str, Tensor]:
        """See ``image_loss``."""
        return image_loss(futures, windows, state, likelihood_weight=self._config.likelihood_weight)

    def validate(self, model: TrajectoryGRU) -> Validation:
        """Chosen by JAAD's MSE at 1.5 s and the recordings' FDE at 2 s, each as a root or distance, multiplied."""
        figures: dict[str, float] = {}
        score, losses = 0.0, []
        if self._jaad_validation is not None:
            errors = evaluate_jaad(model, self._jaad_validation).means()
            figures |= {f"JAAD {name}": value for name, value in errors.items()}
            score -= 0.5 * float(np.log(errors["mse_1_5_s"]))
            losses.append(self._loss_on(model, from_jaad(self._jaad_validation), OBSERVED))
        if self._recordings_validation is not None:
            displacements = recording_displacements(model, self._recordings_validation)
            figures |= displacements
            score -= float(np.log(displacements["FDE 2 s (1/1000)"]))
            losses.append(self._loss_on(model, self._recordings_validation, 6))
        return Validation(float(np.mean(losses)), score, figures)

    @torch.inference_mode()
    def _loss_on(self, model: TrajectoryGRU, tracks: TrackSet, length: int) -> float:
        ends = tracks.ends(length, 1)
        windows = windows_at(tracks, ends[:: max(1, len(ends) // 2000)], length=length, stride=1)
        encoded, state = encode_sequences(
            model, windows.observations, windows.dt_s, windows.unseen_s, windows.labels, windows.features
        )
        futures = model.decode(encoded, state, torch.from_numpy(IMAGE_GRID.times_s).float())
        return float(self.loss(futures, windows, state)["total"])


def image_loss(
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
    near = torch.from_numpy(_STEPS <= PREDICTED).to(known.device) * known
    rmse = [
        ((squared * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1) + 1e-2).sqrt()[some].mean() / _RMSE_SCALE_PX
        for mask in (near, known)
    ]
    scale = ImageMotion().scale(state)[:, None, None, :]
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


def _augment(windows: Windows, rng: np.random.Generator, feature_dropout: float) -> Windows:
    """Mirror half of the windows, move and magnify a third, change some classes, take the features from some."""
    count = len(windows.labels)
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
        moved(windows.observations),
        windows.dt_s,
        windows.unseen_s,
        features,
        labels,
        moved(windows.futures),
        windows.known,
    )


def recording_displacements(model: TrajectoryGRU, tracks: TrackSet, *, history: int = 10) -> dict[str, float]:
    """Mean distance of the centre, in thousandths of the image, at 1, 2 and 3 s over all rows with a known future."""
    steps = [int(np.flatnonzero(30 * second == _STEPS)[0]) for second in (1, 2, 3)]
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
            windows.observations.numpy(),
            dt_s=windows.dt_s.numpy(),
            unseen_s=windows.unseen_s.numpy(),
            labels=windows.labels.numpy(),
            features=None if windows.features is None else windows.features.numpy(),
            times_s=IMAGE_GRID.times_s[steps],
        )
        distance = np.linalg.norm((predicted - windows.futures[:, steps].numpy())[..., :2], axis=-1) * 1000
        known = windows.known[:, steps].numpy()
        sums += (distance * known).sum(axis=0)
        counts += known.sum(axis=0)
    return {
        f"FDE {second} s (1/1000)": float(s / max(c, 1)) for second, s, c in zip((1, 2, 3), sums, counts, strict=True)
    }
