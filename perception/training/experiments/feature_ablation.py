"""Feature ablation: the forecaster without a CNN's feature, with RoadNet's, and with one trained jointly with it.

In the last case the loss of the forecast flows back through time, through the GRU, into the convolutions that make the
embedding: the network may encode what the future depends on, instead of what distinguishes one object from another. How
far that could lead at best is measured, too: with oracle features, the lamps and the heading that the simulator knows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from perception.arrays import FloatArray, IntArray
from perception.detection.roadnet.network import RoadNet
from perception.forecasting.batch_prediction import encode_windows
from perception.forecasting.features.ground_motion import CAR_XY, VELOCITY, XY
from perception.forecasting.track_dataset import GROUND_GRID, TrackSet, Windows, windows_at
from perception.forecasting.trajectory_gru import HORIZONS_S, GruConfig, TrajectoryGRU
from perception.training.engine.trainer import Task, Validation
from perception.training.experiments.oracle_features import ORACLE_FEATURES
from perception.training.experiments.roi_features import RoiEmbedder
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.data_modules.ground import GroundDataConfig, GroundDataModule
from perception.training.forecaster.validation import ERRORS_AT_S, ground_errors_m

Feature = Literal["none", "roadnet", "joint", "oracle"]
FEATURES: tuple[Feature, ...] = get_args(Feature)
AHEAD_S = 3

_VEHICLES = 3
_MOVING_MPS, _NEAR_M = 1.0, 20.0
_ROWS_AT_ONCE = 4096
_MAX_ROWS = 40_000
_WATCHED_ROWS, _WATCHED_LENGTH = 500, 16
_EMBEDDER_LR_MULTIPLIER = 0.03
"""RoadNet's convolutions are trained already; at the rate of the recurrent network they overfit to few drives."""


class JointForecaster(nn.Module):
    """TrajectoryGRU behind what embeds its features: ``RoiEmbedder``, or nothing where they are given as they are."""

    def __init__(self, embedder: nn.Module, gru: TrajectoryGRU) -> None:
        super().__init__()
        self.embedder, self.gru = embedder, gru

    def embedded(self, windows: Windows) -> Windows:
        """The windows with the features that the GRU reads."""
        return windows if windows.features is None else replace(windows, features=self.embedder(windows.features))


def with_features(feature: Feature, tracks: TrackSet, model: RoadNet) -> TrackSet:
    """``tracks`` without features, with ``model``'s embeddings, with RoI features or with oracle features.

    The given ones have RoI features and, in the last columns, ``ORACLE_FEATURES``.
    """
    if feature == "none":
        return replace(tracks, features=np.zeros((len(tracks.features), 0), np.float32))
    if feature == "oracle":
        return replace(tracks, features=tracks.features[:, -len(ORACLE_FEATURES) :])
    with_roi = replace(tracks, features=tracks.features[:, : -len(ORACLE_FEATURES)])
    return with_roi if feature == "joint" else _embedded(with_roi, RoiEmbedder(model))


def ablation_task(
    feature: Feature,
    config: ForecasterTraining,
    tracks: TrackSet,
    held_out: TrackSet,
    model: RoadNet,
    device: torch.device,
) -> Task[Windows]:
    """What ``loop.train`` needs; both sets are those of ``with_features``.

    The loss on ``held_out`` is reported but chooses nothing: the last weights count.
    """
    assert isinstance(config.data, GroundDataConfig)
    data = GroundDataModule(config.data, config.batches, recordings=tracks)
    torch.manual_seed(config.settings.seed)
    gru = TrajectoryGRU(
        GruConfig(
            hidden_size=config.hidden_size,
            dropout=config.dropout,
            feature_size=len(ORACLE_FEATURES) if feature == "oracle" else model.config.embedding_size,
            horizon_s=HORIZONS_S["ground"],
            modes=config.modes,
            interaction_dim=config.interaction_dim,
            reference_frame="ground",
        )
    )
    network = JointForecaster(RoiEmbedder(model) if feature == "joint" else nn.Identity(), gru)
    times = torch.from_numpy(GROUND_GRID.times_s).float().to(device)

    def sample_batch(step: int) -> Windows:
        return data.sample(np.random.default_rng([config.settings.seed, step])).to(device)

    def compute_loss(network: nn.Module, windows: Windows) -> dict[str, Tensor]:
        assert isinstance(network, JointForecaster)
        encoded, state = encode_windows(network.gru, network.embedded(windows))
        return data.loss(network.gru.decode(encoded, state, times, windows.labels), windows, state)

    ends = held_out.ends(2, 1)
    watched = windows_at(held_out, ends[:: 1 + len(ends) // _WATCHED_ROWS], length=_WATCHED_LENGTH).to(device)

    @torch.inference_mode()
    def validate(network: nn.Module) -> Validation:
        # Later ones are always better, those of a training that was resumed, too: what counts are the last weights.
        return Validation(float(compute_loss(network, watched)["total"]), time.time(), {})

    return Task(network, sample_batch, compute_loss, validate, lr_multipliers={"embedder.": _EMBEDDER_LR_MULTIPLIER})


@dataclass(frozen=True)
class EvaluationRows:
    """Rows of held-out tracks at which forecasts are evaluated: ``ends`` (N,), the true object of each (N,), and groups
    by name, each with a mask (N,)."""

    ends: IntArray
    objects: IntArray
    groups: Mapping[str, NDArray[np.bool_]]


def evaluation_rows(tracks: TrackSet) -> EvaluationRows:
    """Rows whose future is known 3 s ahead, evenly chosen."""
    ends = tracks.ends(2, 1)
    ahead = tracks.truth_rows[ends] + AHEAD_S * int(GROUND_GRID.rate_fps)
    is_known = ahead < tracks.truth_ends[ends]
    is_known[is_known] = tracks.known[ahead[is_known]]
    ends = ends[is_known]
    ends = ends[:: 1 + len(ends) // _MAX_ROWS]
    now = tracks.observations[ends]
    labels = tracks.labels[np.searchsorted(tracks.starts, ends, side="right") - 1]
    moving = (labels < _VEHICLES) & (np.linalg.norm(now[:, VELOCITY], axis=1) > _MOVING_MPS)
    near = np.linalg.norm(now[:, XY] - now[:, CAR_XY], axis=1) < _NEAR_M
    groups = {
        "all": np.ones(len(ends), bool),
        "moving vehicles": moving,
        f"moving within {_NEAR_M:.0f} m": moving & near,
    }
    return EvaluationRows(ends, tracks.truth_ends[ends], groups)


def forecast_errors_m(network: JointForecaster, tracks: TrackSet, rows: EvaluationRows) -> FloatArray:
    """(3, N): ``ground_errors_m`` at 3 s; ``tracks`` are those of ``with_features``."""
    seen = _embedded(tracks, network.embedder) if isinstance(network.embedder, RoiEmbedder) else tracks
    return ground_errors_m(network.gru.eval(), seen, rows.ends)[:, :, ERRORS_AT_S.index(AHEAD_S)]


@torch.inference_mode()
def _embedded(tracks: TrackSet, embedder: RoiEmbedder) -> TrackSet:
    """``tracks`` with embeddings in place of the RoI features."""
    parts = [
        embedder(torch.from_numpy(tracks.features[start : start + _ROWS_AT_ONCE]).float()).numpy()
        for start in range(0, len(tracks.features), _ROWS_AT_ONCE)
    ]
    return replace(tracks, features=np.concatenate(parts))
