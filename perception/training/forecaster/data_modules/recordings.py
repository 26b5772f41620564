"""Recordings in a configuration: which are trained on, which validate, and their folders on the disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from perception.errors import UsageError
from perception.forecasting.track_dataset import TrackSet, join
from perception.training.forecaster.data_modules.base import DataConfig

Tracker = Callable[[Path, tuple[int, ...]], Sequence[TrackSet]]
"""Tracks a recording at each of these strides."""


class RecordingConfig(BaseModel):
    """A recording, or several by a pattern such as ``drives/train-*``, tracked by our own detector and tracker.

    ``strides``: every so many-th instant is tracked, once for each, so that one recording teaches several frame rates.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    strides: tuple[int, ...] = (1,)


class RecordingsConfig(DataConfig):
    """The keys that the image and the ground share."""

    train: tuple[RecordingConfig, ...] = ()
    validation: tuple[RecordingConfig, ...] = ()
    recording_share: float = Field(0.3, ge=0, le=1, description="share of the batches that come from recordings")
    features: bool = Field(True, description="the CNN features of the objects are among the inputs")
    feature_dropout: float = Field(0.3, ge=0, le=1, description="share of the windows that lose their CNN features")
    neighbour_dropout: float = Field(0.3, ge=0, le=1, description="share of the batches without neighbours")
    image_size_px: int | None = Field(None, description="the detector's input while the recordings are tracked")

    @property
    def uses_features(self) -> bool:
        """Whether the model is to know a detector's features."""
        return self.features

    def train_tracks(self, root: Path, track: Tracker) -> TrackSet | None:
        """The first ``train_share`` of the recordings to learn from; None where there are none."""
        folders = recording_folders(root, self.train)
        return self._joined(folders[: math.ceil(self.train_share * len(folders))], track)

    def validation_tracks(self, root: Path, track: Tracker) -> dict[str, TrackSet]:
        """The tracks of each entry of ``validation``, by its path."""
        found = {
            part.path.as_posix(): self._joined(recording_folders(root, (part,)), track) for part in self.validation
        }
        return {name: tracks for name, tracks in found.items() if tracks is not None}

    def check_disjoint(self, root: Path) -> None:
        """Raises ``UsageError`` where a recording is both trained on and validated on."""
        train, validation = (
            {path.resolve() for path, _ in recording_folders(root, part)} for part in (self.train, self.validation)
        )
        if shared := train & validation:
            raise UsageError(f"{min(shared)}: is among train and validation; leave it out of one of them.")

    def _joined(self, folders: Sequence[tuple[Path, RecordingConfig]], track: Tracker) -> TrackSet | None:
        sets = [tracks for path, recording in folders for tracks in track(path, recording.strides)]
        tracks = join(sets) if sets else None
        # Zeros stand for no feature.
        return tracks if tracks is None or self.features else replace(tracks, features=np.zeros_like(tracks.features))


def recording_folders(root: Path, recordings: Sequence[RecordingConfig]) -> list[tuple[Path, RecordingConfig]]:
    """Every recording's folder with its entry; raises ``UsageError`` where a pattern matches none."""
    return [(path, recording) for recording in recordings for path in _matching(root, recording.path)]


def _matching(root: Path, path: Path) -> list[Path]:
    if not set("*?[") & set(str(path)):
        return [root / path]
    found = sorted(root.glob(str(path)))
    if not found:
        raise UsageError(f"{root / path}: matches no recording; check the pattern and `data`.")
    return found
