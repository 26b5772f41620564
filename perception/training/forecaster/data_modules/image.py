"""The image as training data: JAAD's pedestrians, recordings tracked by our own detector, and simulated traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from perception.benchmarks.jaad import JAAD, OBSERVED, JaadTracks, from_jaad, protocol, read_jaad
from perception.benchmarks.prediction import predict
from perception.egomotion import FlowEgoMotion
from perception.errors import UsageError
from perception.forecasting.batch_prediction import predict_windows
from perception.forecasting.features.image_motion import BOX, DIRECTION, IS_KNOWN, LENS, STD, TURN_RATE, TURNED
from perception.forecasting.features.motion import MotionState
from perception.forecasting.track_dataset import IMAGE_GRID, TrackSet, Windows, join, windows_at
from perception.forecasting.trajectory_gru import Futures, TrajectoryGRU
from perception.protocols import Detector
from perception.taxonomy import CLASSES
from perception.training.engine.trainer import TRAINING_LOSS, Validation
from perception.training.forecaster.data_modules.base import BatchConfig
from perception.training.forecaster.data_modules.recordings import RecordingsConfig
from perception.training.forecaster.data_modules.traffic import TrafficConfig, check_traffic_disjoint
from perception.training.forecaster.loss import image_loss
from perception.training.forecaster.tracks.track_recordings import track_recording
from perception.training.forecaster.validation import IMAGE_UNIT, FigureKey, evenly_chosen, image_displacements
from perception.types import ReferenceFrame

_VALIDATED_ROWS = 2000
_USUAL_HISTORY = 6
_LONGEST_HISTORY = 24
"""Of simulated traffic; most histories are short, because every track was young once."""


class ImageDataConfig(RecordingsConfig):
    """``data: {kind: image, ...}``: boxes in images, of JAAD, of recordings, of simulated traffic, or of all."""

    kind: Literal["image"] = "image"
    jaad: Path | None = Field(None, description="JAAD's tracks, the file that perception convert jaad writes")
    traffic: TrafficConfig | None = Field(None, description="simulated traffic in the images of moving cameras")
    traffic_validation: TrafficConfig | None = None
    traffic_share: float = Field(0.4, ge=0, le=1, description="share of the batches that come from the traffic")

    gt_history_ratio: float = Field(
        0.25, ge=0, le=1, description="share of the traffic's batches whose histories are the ground truth"
    )

    @model_validator(mode="after")
    def _traffic_is_disjoint(self) -> ImageDataConfig:
        check_traffic_disjoint(self.traffic, self.traffic_validation)
        return self

    @property
    def reference_frame(self) -> ReferenceFrame:
        """The frame that the model forecasts in."""
        return "image"

    def load(
        self, batches: BatchConfig, *, root: Path, detector: Detector, rng: np.random.Generator, fold: str = ""
    ) -> ImageDataModule:
        """Read JAAD, track the recordings with ``detector``; see ``DataConfig.load``."""
        self.check_disjoint(root)
        jaad = None if self.jaad is None else root / self.jaad
        traffic, gt_traffic = _simulated(self.traffic, self.train_share)

        def track(path: Path, strides: tuple[int, ...]) -> Sequence[TrackSet]:
            return track_recording(path, detector, strides=strides, ego_motion=FlowEgoMotion())

        return ImageDataModule(
            self,
            batches,
            jaad=None if jaad is None else from_jaad(read_jaad(jaad, "train").share(self.train_share, rng)),
            jaad_validation=None if jaad is None else read_jaad(jaad, "val"),
            recordings=self.train_tracks(root, track),
            recordings_validation=self.validation_tracks(root, track),
            traffic=traffic,
            gt_traffic=gt_traffic,
            traffic_validation=_simulated(self.traffic_validation, 1.0)[0],
        )


@dataclass(frozen=True)
class ImageDataModule:
    """Batches, loss and choice of weights in the image frame; see ``DataModule``.

    ``jaad_validation`` keeps the protocol's windows. Of the other sets two are trained on and one validates, by name.
    """

    config: ImageDataConfig
    batches: BatchConfig
    jaad: TrackSet | None = None
    jaad_validation: JaadTracks | None = None
    recordings: TrackSet | None = None
    recordings_validation: Mapping[str, TrackSet] = field(default_factory=dict)
    traffic: TrackSet | None = None
    gt_traffic: TrackSet | None = None
    traffic_validation: TrackSet | None = None

    grid = IMAGE_GRID

    @property
    def has_data(self) -> bool:
        """Whether there is anything to learn from."""
        return bool(self._train_sets())

    def with_recordings(self, tracks: TrackSet) -> ImageDataModule:
        """The same with these ``tracks`` as the recordings to learn from."""
        return replace(self, recordings=tracks)

    def sample(self, rng: np.random.Generator) -> Windows:
        """One batch: a random history of a random rate, half of the time the one that the benchmark observes."""
        config, sets = self.config, self._train_sets()
        if not sets:
            raise UsageError("the configuration's data name neither jaad nor recordings nor traffic to train from.")
        shares = np.array([share for share, _ in sets])
        tracks = sets[int(rng.choice(len(sets), p=shares / shares.sum()))][1]
        length, stride = self._history(tracks, rng)
        while not len(ends := tracks.ends(length, stride)):
            if length == 1:
                raise UsageError("the recordings: no track of the detector overlaps an object whose future is known.")
            length //= 2
        uses_neighbours = self.batches.neighbours and rng.random() >= config.neighbour_dropout
        neighbours = self.batches.neighbours if uses_neighbours else 0
        chosen = tracks.sample(ends, self.batches.size, rng, together=neighbours > 0)
        windows = windows_at(tracks, chosen, length=length, stride=stride, neighbours=neighbours)
        return _augment(windows, rng, config.feature_dropout)

    def _train_sets(self) -> list[tuple[float, TrackSet]]:
        """What is trained on, each set with its share of the batches."""
        config = self.config
        recordings = config.recording_share if self.recordings is not None else 0.0
        traffic = config.traffic_share if self.traffic is not None else 0.0
        gt_history = config.gt_history_ratio if self.gt_traffic is not None else 0.0
        sets = [
            (recordings or 1.0, self.recordings),
            (traffic * (1 - gt_history) or 1.0, self.traffic),
            (traffic * gt_history, self.gt_traffic),
            (max(1 - recordings - traffic, 0.0), self.jaad),
        ]
        return [(share, tracks) for share, tracks in sets if tracks is not None and share > 0]

    def _history(self, tracks: TrackSet, rng: np.random.Generator) -> tuple[int, int]:
        """How many observations, and every which of them, a batch of these tracks has."""
        if tracks is self.traffic or tracks is self.gt_traffic:
            return 2 + int((_LONGEST_HISTORY - 2) * rng.random() ** 2), 1
        if tracks is self.recordings:
            return int(rng.integers(2, 13)), 1
        if rng.random() < 0.6:
            return OBSERVED, 1
        return int(rng.integers(2, 20)), int(rng.integers(1, 7))

    def loss(self, futures: Futures, windows: Windows, state: MotionState) -> dict[str, Tensor]:
        """See ``image_loss``."""
        return image_loss(futures, windows, state, weights=self.batches.loss)

    def validate(self, model: TrajectoryGRU) -> Validation:
        """Chosen by JAAD's MSE at 1.5 s, the recordings' and the traffic's FDE at 2 s, each as a root or distance,
        multiplied."""
        figures: dict[str, float] = {}
        score, losses = 0.0, []
        if self.jaad is not None:
            figures[TRAINING_LOSS] = self._loss_on(model, self.jaad, OBSERVED)
        if self.jaad_validation is not None:
            targets = protocol(self.jaad_validation)
            predicted = predict(model, targets, JAAD, neighbours=False)
            errors = JAAD.errors(predicted, targets.futures(JAAD.steps))
            figures |= {f"JAAD {name}": float(values.mean()) for name, values in errors.items()}
            score -= 0.5 * float(np.log(figures["JAAD MSE 1.5 s"]))
            losses.append(self._loss_on(model, from_jaad(self.jaad_validation), OBSERVED))
        recordings = join(self.recordings_validation.values()) if self.recordings_validation else None
        for name, tracks in (("", recordings), ("traffic ", self.traffic_validation)):
            if tracks is not None:
                displacements = image_displacements(model, tracks)
                figures |= {f"{name}{key}": value for key, value in displacements.items()}
                score -= float(np.log(displacements[FigureKey("FDE", 2, IMAGE_UNIT)]))
                losses.append(self._loss_on(model, tracks, _USUAL_HISTORY))
        return Validation(float(np.mean(losses)), score, figures)

    def calibration_set(self) -> dict[str, list[Windows]]:
        """Windows of JAAD, whose boxes are exact, and of recordings, whose boxes are tracked."""
        jaad = None if self.jaad_validation is None else from_jaad(self.jaad_validation)
        sets = {name: (tracks, _USUAL_HISTORY) for name, tracks in self.recordings_validation.items()}
        if jaad is not None:
            sets["JAAD"] = (jaad, OBSERVED)
        if self.traffic_validation is not None:
            sets["traffic"] = (self.traffic_validation, _USUAL_HISTORY)
        return {
            name: [windows_at(tracks, _some_ends(tracks, length), length=length, neighbours=self.batches.neighbours)]
            for name, (tracks, length) in sets.items()
            if len(tracks.ends(length, 1))
        }

    @torch.inference_mode()
    def _loss_on(self, model: TrajectoryGRU, tracks: TrackSet, length: int) -> float:
        windows = windows_at(tracks, _some_ends(tracks, length), length=length)
        futures, state = predict_windows(model, windows, torch.from_numpy(IMAGE_GRID.times_s).float())
        return float(self.loss(futures, windows, state)["total"])


def _simulated(traffic: TrafficConfig | None, share: float) -> tuple[TrackSet | None, TrackSet | None]:
    """A share of the drives, tracked, and the same with the true boxes as tracks."""
    if traffic is None:
        return None, None
    # Not all machines that train have SUMO, which only this needs.
    from perception.training.forecaster.tracks.simulated_views import track_views

    drives = [
        track_views(seed, duration_s=traffic.duration_s, strides=traffic.strides) for seed in traffic.share(share)
    ]
    tracked, true = (join(tracks for drive in drives for tracks in drive[kind]) for kind in (0, 1))
    return tracked, true


def _some_ends(tracks: TrackSet, length: int) -> np.ndarray:
    return evenly_chosen(tracks.ends(length, 1), _VALIDATED_ROWS)


def _augment(windows: Windows, rng: np.random.Generator, feature_dropout: float) -> Windows:
    """Mirror, shift and scale the images, change some classes, drop the features of some windows.

    Neighbours must be changed alike: each window at random where there are none, else all in the same way.
    """
    count = len(windows.labels)
    draws = 1 if windows.neighbours.shape[1] else count
    mirror = torch.from_numpy(rng.random(draws) < 0.5)
    is_scaled = rng.random(draws) < 0.33
    scale = torch.from_numpy(np.where(is_scaled, np.exp(rng.uniform(-0.25, 0.25, draws)), 1.0)).float()
    shift = torch.from_numpy(np.where(is_scaled[:, None], rng.uniform(-0.05, 0.05, (draws, 2)), 0.0)).float()

    def moved(boxes: Tensor) -> Tensor:
        centre = (boxes[..., :2] - 0.5) * scale[:, None, None] + 0.5 + shift[:, None]
        x = torch.where(mirror[:, None], 1.0 - centre[..., 0], centre[..., 0])
        return torch.cat([x[..., None], centre[..., 1:], boxes[..., 2:] * scale[:, None, None]], dim=-1)

    features = windows.features
    if features is not None:
        features = features * torch.from_numpy(rng.random(count) >= feature_dropout)[:, None, None]
    # The classes of a data set must not stand for its cameras: cars of one fixed camera all drive the same way.
    other = torch.from_numpy(rng.integers(len(CLASSES), size=count))
    labels = torch.where(torch.from_numpy(rng.random(count) < 0.2), other, windows.labels)
    observations = windows.observations.clone()
    observations[..., BOX] = moved(observations[..., BOX])
    observations[..., STD] *= scale[:, None, None]
    _augment_camera(observations, mirror, scale, shift)
    return replace(
        windows,
        observations=observations,
        features=features,
        labels=labels,
        futures=moved(windows.futures),
    )


def _augment_camera(observations: Tensor, mirror: Tensor, scale: Tensor, shift: Tensor) -> None:
    """What is known of the camera of each window (N,), as it would be of a camera with the mirrored, scaled and shifted
    image."""
    is_known = observations[..., IS_KNOWN.start, None]
    lens = observations[..., LENS]
    centre = (lens[..., 2:] - 0.5) * scale[:, None, None] + 0.5 + shift[:, None]
    centre_x = torch.where(mirror[:, None], 1.0 - centre[..., 0], centre[..., 0])
    observations[..., LENS] = is_known * torch.cat(
        [lens[..., :2] * scale[:, None, None], centre_x[..., None], centre[..., 1:]], dim=-1
    )
    sign = torch.where(mirror, -1.0, 1.0)[:, None]
    for columns in (TURNED, TURN_RATE):
        observations[..., columns] *= scale[:, None, None]
        observations[..., columns.start] *= sign
    observations[..., DIRECTION.start] *= sign
