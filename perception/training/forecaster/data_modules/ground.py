"""The ground as training data: drives tracked in metres, and cheap simulated traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from perception.errors import UsageError
from perception.forecasting.features.ground_motion import (
    AXIS,
    CAR_IS_KNOWN,
    CAR_XY,
    CAR_YAW,
    COVARIANCE,
    OBSERVATION_SIZE,
    VARIANCE,
    VELOCITY,
    XY,
)
from perception.forecasting.features.motion import MotionState
from perception.forecasting.track_dataset import GROUND_GRID, TrackSet, Windows, join, windows_at
from perception.forecasting.trajectory_gru import Futures, TrajectoryGRU
from perception.protocols import Detector
from perception.taxonomy import CLASSES
from perception.training.engine.trainer import Validation
from perception.training.forecaster.data_modules.base import BatchConfig
from perception.training.forecaster.data_modules.recordings import RecordingsConfig
from perception.training.forecaster.data_modules.traffic import SurroundTrafficConfig, check_traffic_disjoint
from perception.training.forecaster.loss import ground_loss
from perception.training.forecaster.tracks.track_recordings import track_drive
from perception.training.forecaster.validation import (
    GROUND_ROWS,
    MAX_HISTORY,
    FigureKey,
    evenly_chosen,
    ground_displacements,
    ground_windows,
)
from perception.types import ReferenceFrame

GT_HISTORY = "GT history"
"""The validation set whose histories are the ground truth."""

_SELECTION_S = 3
"""Weights are chosen by errors so many seconds ahead."""

MIRRORED = np.ones(OBSERVATION_SIZE, np.float32)
MIRRORED[[XY.stop - 1, VELOCITY.stop - 1, AXIS, COVARIANCE, CAR_XY.stop - 1, CAR_YAW]] = -1
"""The columns of an observation that change their sign when left and right are swapped."""


class GroundDataConfig(RecordingsConfig):
    """``data: {kind: ground, ...}``: calibrated drives with true objects, simulated traffic, or both."""

    kind: Literal["ground"] = "ground"
    traffic: SurroundTrafficConfig | None = Field(None, description="simulated traffic to learn from")
    traffic_validation: SurroundTrafficConfig | None = None
    gt_history_ratio: float = Field(
        0.15, ge=0, le=1, description="share of the traffic's batches whose histories are the ground truth"
    )
    mirror_share: float = Field(
        0.5, ge=0, le=1, description="share of the windows whose left and right are swapped; they lose their features"
    )

    @model_validator(mode="after")
    def _traffic_is_disjoint(self) -> GroundDataConfig:
        check_traffic_disjoint(self.traffic, self.traffic_validation)
        return self

    @property
    def reference_frame(self) -> ReferenceFrame:
        """The frame that the model forecasts in."""
        return "ground"

    def load(
        self, batches: BatchConfig, *, root: Path, detector: Detector, rng: np.random.Generator, fold: str = ""
    ) -> GroundDataModule:
        """Track the drives with ``detector``, simulate the traffic; see ``DataConfig.load``."""
        self.check_disjoint(root)

        def track(path: Path, strides: tuple[int, ...]) -> Sequence[TrackSet]:
            return track_drive(path, detector, strides=strides)

        traffic, gt_traffic = self._simulated(self.traffic, self.train_share)
        traffic_validation, gt_validation = self._simulated(self.traffic_validation, 1.0)
        return GroundDataModule(
            self,
            batches,
            recordings=self.train_tracks(root, track),
            recordings_validation=self.validation_tracks(root, track),
            traffic=traffic,
            traffic_validation=traffic_validation,
            gt_traffic=gt_traffic,
            gt_traffic_validation=gt_validation,
        )

    def _simulated(
        self, traffic: SurroundTrafficConfig | None, share: float
    ) -> tuple[TrackSet | None, TrackSet | None]:
        """A share of the drives, tracked; and the same with true histories where they are trained on."""
        if traffic is None:
            return None, None
        # Not all machines that train have SUMO, which only this needs.
        from perception.training.forecaster.tracks.simulated_tracks import track_traffic

        with_gt = self.gt_history_ratio > 0
        drives = [
            track_traffic(
                seed, traffic.rig, duration_s=traffic.duration_s, strides=traffic.strides, with_gt_history=with_gt
            )
            for seed in traffic.share(share)
        ]
        tracked = join(tracks for sets, _ in drives for tracks in sets)
        return tracked, join(tracks for _, tracks in drives if tracks is not None) if with_gt else None


@dataclass(frozen=True)
class GroundDataModule:
    """Batches, loss and choice of weights on the ground; see ``DataModule``.

    ``gt_traffic`` has the same drives as ``traffic``, with the ground truth as histories.
    """

    config: GroundDataConfig
    batches: BatchConfig
    recordings: TrackSet | None = None
    recordings_validation: Mapping[str, TrackSet] = field(default_factory=dict)
    traffic: TrackSet | None = None
    traffic_validation: TrackSet | None = None
    gt_traffic: TrackSet | None = None
    gt_traffic_validation: TrackSet | None = None

    grid = GROUND_GRID

    @property
    def has_data(self) -> bool:
        """Whether there is anything to learn from."""
        return self.recordings is not None or self.traffic is not None

    def with_recordings(self, tracks: TrackSet) -> GroundDataModule:
        """The same with these ``tracks`` as the recordings to learn from."""
        return replace(self, recordings=tracks)

    def sample(self, rng: np.random.Generator) -> Windows:
        """One batch: histories of a random length, most of them short, because every track was young once."""
        config, sets = self.config, self._train_sets()
        if not sets:
            raise UsageError("the configuration's data name neither drives (train) nor traffic to train from.")
        shares = np.array([share for share, _ in sets])
        tracks = sets[int(rng.choice(len(sets), p=shares / shares.sum()))][1]
        length = 1 + int(MAX_HISTORY * rng.random() ** 2)
        while not len(ends := tracks.ends(length, 1)):
            if length == 1:
                raise UsageError("the drives: no track lies near a true object whose future is known.")
            length //= 2
        uses_neighbours = self.batches.neighbours and rng.random() >= config.neighbour_dropout
        neighbours = self.batches.neighbours if uses_neighbours else 0
        chosen = tracks.sample(ends, self.batches.size, rng, together=neighbours > 0)
        windows = windows_at(tracks, chosen, length=length, neighbours=neighbours)
        return _augment(windows, rng, config.mirror_share, config.feature_dropout)

    def loss(self, futures: Futures, windows: Windows, state: MotionState) -> dict[str, Tensor]:
        """See ``ground_loss``."""
        return ground_loss(futures, windows, state, weights=self.batches.loss)

    @torch.inference_mode()
    def validate(self, model: TrajectoryGRU) -> Validation:
        """Chosen by the best future's and the mean future's error at 3 s over that of constant velocity."""
        figures: dict[str, float] = {}
        losses, scores = [], []
        for name, tracks in self._validation_sets().items():
            displacements, loss = ground_displacements(model, tracks, weights=self.batches.loss)
            figures |= {f"{name} {key}": value for key, value in displacements.items()}
            straight = displacements[FigureKey("CV", _SELECTION_S)]
            best = displacements[FigureKey("minFDE", _SELECTION_S)]
            mean = displacements[FigureKey("FDE", _SELECTION_S)]
            scores.append(-float(np.log(max(best * mean, 1e-12) / max(straight, 1e-6) ** 2)))
            losses.append(loss)
        if not scores:
            raise UsageError("the configuration's data name neither drives (validation) nor traffic to choose by.")
        return Validation(float(np.mean(losses)), float(np.mean(scores)), figures)

    def calibration_set(self) -> dict[str, list[Windows]]:
        """Windows of tracked objects: in use, no history is without errors."""
        return {
            name: [
                windows
                for _, windows in ground_windows(
                    tracks, evenly_chosen(tracks.ends(2, 1), GROUND_ROWS), self.batches.neighbours
                )
            ]
            for name, tracks in self._validation_sets().items()
            if name != GT_HISTORY
        }

    def _train_sets(self) -> list[tuple[float, TrackSet]]:
        """What is trained on, each set with its share of the batches."""
        recordings = self.config.recording_share if self.traffic is not None else 1.0
        traffic = 1 - recordings if self.recordings is not None else 1.0
        gt_history = self.config.gt_history_ratio if self.gt_traffic is not None else 0.0
        sets = [
            (recordings, self.recordings),
            (traffic * (1 - gt_history), self.traffic),
            (traffic * gt_history, self.gt_traffic),
        ]
        return [(share, tracks) for share, tracks in sets if tracks is not None and share > 0]

    def _validation_sets(self) -> dict[str, TrackSet]:
        """What the weights are chosen by, by name."""
        sets = {
            "drives": join(self.recordings_validation.values()) if self.recordings_validation else None,
            "traffic": self.traffic_validation,
            GT_HISTORY: self.gt_traffic_validation,
        }
        return {name: tracks for name, tracks in sets.items() if tracks is not None}


def _augment(windows: Windows, rng: np.random.Generator, mirror_share: float, feature_dropout: float) -> Windows:
    """Mirror a share of the windows, add noise to a third, change some classes, drop the features or the car of some.

    With neighbours, all windows of the batch are mirrored or none. Mirrored ones lose their features, which distinguish
    left from right: an indicator, a heading.
    """
    count = len(windows.labels)
    seen = windows.observations.numpy().copy()
    futures = windows.futures.numpy().copy()
    mirror = rng.random(count) < mirror_share
    if windows.neighbours.shape[1]:
        mirror[:] = mirror[0]
    seen[mirror] *= MIRRORED
    futures[mirror, :, 1] *= -1
    stds_m = np.sqrt(seen[..., VARIANCE]) * 0.3 * (rng.random(count) < 0.33)[:, None, None]
    seen[..., XY] += stds_m * rng.normal(size=stds_m.shape)
    lost = rng.random(count) < 0.1
    seen[lost, :, CAR_XY.start : CAR_IS_KNOWN + 1] = 0
    features = windows.features
    if features is not None:
        features = features * torch.from_numpy((rng.random(count) >= feature_dropout) & ~mirror)[:, None, None]
    other = torch.from_numpy(rng.integers(len(CLASSES), size=count))
    labels = torch.where(torch.from_numpy(rng.random(count) < 0.1), other, windows.labels)
    return replace(
        windows,
        observations=torch.from_numpy(seen).float(),
        features=features,
        labels=labels,
        futures=torch.from_numpy(futures),
    )
