"""TrajectoryGRU: a recurrent network that is fed once per frame with where an object is, and predicts where it will go.

    motion (size, displacement, velocities, time step ...), class, CNN feature or "none"
        -> embedding -> GRU (its hidden state stays with the track) -+-> K futures, probabilities, spreads
                                       states of its neighbours ------+

The same network works in the image and on the ground; ``Motion`` is what differs. A future is a smooth curve: a
mixture of past velocities, continued, plus a polynomial in time. So it can be read at any time ahead, and a track of
any frame rate can be trained on. Futures come in the order of their probability. GRU: Cho et al. 2014; several futures
of which the best one learns: Cui et al. 2019 (MTP).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from pydantic import Field, TypeAdapter, ValidationError
from torch import Tensor, nn

from perception.forecasting.features.ground_motion import GroundMotion
from perception.forecasting.features.image_motion import ImageMotion
from perception.forecasting.features.motion import Motion, MotionState
from perception.forecasting.interaction import InteractionPooling
from perception.taxonomy import CLASSES
from perception.types import ReferenceFrame

HORIZONS_S: dict[ReferenceFrame, float] = {"image": 3.0, "ground": 4.0}
"""How far ahead a forecast looks."""

_MAX_LOG_STD = 3.0


Width = Annotated[int, Field(strict=True, gt=0, le=4096)]
Degree = Annotated[int, Field(strict=True, ge=0, le=16)]


@dataclass(frozen=True)
class GruConfig:
    """What a weights file must state so that the network can be built again."""

    hidden_size: Width = 160
    input_size: Width = 96
    feature_size: Width = 64
    feature_space: str = ""
    modes: Annotated[int, Field(strict=True, gt=0, le=64)] = 6
    horizon_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 3.0
    curve_degree: Annotated[Degree, Field(gt=0)] = 6
    spread_degree: Degree = 3
    dropout: Annotated[float, Field(ge=0, le=1)] = 0.0
    reference_frame: ReferenceFrame = "image"
    interaction_dim: Annotated[int, Field(strict=True, ge=0, le=4096)] = 0
    """Width of the neighbours' pooled messages; 0 switches interaction off."""


def read_gru_config(values: object) -> GruConfig:
    """The ``values`` of a file as a configuration. Raises ``ValueError`` that begins with the name of a wrong field."""
    names = {field.name for field in fields(GruConfig)}
    if not isinstance(values, dict) or set(values) != names:
        raise ValueError(min(map(str, set(values) ^ names)) if isinstance(values, dict) else "it is no object")
    try:
        return _CONFIG.validate_python(values)
    except ValidationError as error:
        fault = error.errors()[0]
        raise ValueError(f"{fault['loc'][0]} {str(fault['input'])[:40]}: {fault['msg']}") from error


_CONFIG = TypeAdapter(GruConfig)


class Futures(NamedTuple):
    """``log_probabilities`` (N, K), falling; ``means`` and ``stds`` (N, K, T, D) in the reference frame's units.

    On the ground ``stds`` lie along and across the object's direction, see ``Motion.axes_rad``.
    """

    log_probabilities: Tensor
    means: Tensor
    stds: Tensor

    @property
    def expected(self) -> Tensor:
        """(N, T, D): the mean over the futures."""
        return torch.einsum("nk,nktd->ntd", self.log_probabilities.exp(), self.means)


OLD_NAMES = {
    "neighbourhood.": "interaction.",
    "spread_correction": "sigma_correction",
    "choice_correction": "mode_correction",
}
"""What weights of version 0.1 call parts of the network: old to new beginning of a tensor's name."""


class TrajectoryGRU(nn.Module):
    """See the module's docstring. ``encode`` takes whole sequences (training), ``step`` one instant (online)."""

    curve_basis: Tensor
    spread_basis: Tensor
    sigma_correction: Tensor
    """(C, P, D): what calibration adds to the logarithms of a class's spreads, as a curve in time."""
    mode_correction: Tensor
    """(2,): what calibration does to the probabilities: a temperature's logarithm, and the first-mode bias."""

    def __init__(self, config: GruConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GruConfig()
        self.motion = motion = motion_of(config.reference_frame)
        self.feature = nn.Linear(config.feature_size, 32)
        self.no_feature = nn.Parameter(torch.zeros(32))
        self.label = nn.Embedding(len(CLASSES), 8)
        self.input = nn.Sequential(nn.Linear(motion.input_size + 32 + 8, config.input_size), nn.ReLU())
        self.gru = nn.GRU(config.input_size, config.hidden_size, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        per_mode = 1 + motion.candidates + motion.dimensions * (config.curve_degree + config.spread_degree + 1)
        encoded_size = config.hidden_size + config.input_size
        self.interaction = (
            InteractionPooling(encoded_size, motion.relation_size, config.interaction_dim)
            if config.interaction_dim
            else None
        )
        self.decoder = nn.Sequential(
            nn.Linear(encoded_size + 2 * config.interaction_dim, 128),
            nn.ReLU(),
            nn.Linear(128, config.modes * per_mode),
        )
        self.register_buffer("curve_basis", _orthonormal_powers(config.curve_degree, start=1), persistent=False)
        self.register_buffer("spread_basis", _orthonormal_powers(config.spread_degree, start=0), persistent=False)
        for name, shape in correction_shapes(config).items():
            self.register_buffer(name, torch.zeros(shape))

    def embed(self, motion: Tensor, labels: Tensor, features: Tensor | None) -> Tensor:
        """(..., motion.input_size), (...,), and (..., F) or None to (..., config.input_size).

        A row of features that is all zero, or None, stands for "no feature".
        """
        none = self.no_feature.expand(*motion.shape[:-1], -1)
        if features is None:
            seen = none
        else:
            present = (features != 0).any(dim=-1, keepdim=True)
            seen = torch.where(present, self.feature(features), none)
        embedded: Tensor = self.input(torch.cat([motion, seen, self.label(labels)], dim=-1))
        return embedded

    def encode(self, motion: Tensor, labels: Tensor, features: Tensor | None, lengths: Tensor) -> Tensor:
        """(N, L, motion.input_size), (N,), (N, L, F) or None, (N,) to the encoded objects (N, hidden + input)."""
        embedded = self.embed(motion, labels[:, None].expand(-1, motion.shape[1]), features)
        outputs, _ = self.gru(embedded)
        rows, last = torch.arange(len(lengths), device=lengths.device), lengths - 1
        return torch.cat([outputs[rows, last], embedded[rows, last]], dim=-1)

    def with_interaction(self, encoded: Tensor, state: MotionState, neighbours: Tensor | None) -> Tensor:
        """The encoded objects (N, E) and the messages of their ``neighbours`` (N, M), as the decoder's input.

        Neighbours are rows of ``encoded``, -1 for none; None means no interaction.
        """
        if self.interaction is None:
            return encoded
        if neighbours is None:
            pooled = encoded.new_zeros(len(encoded), 2 * self.config.interaction_dim)
        else:
            pooled = self.interaction(encoded, self.motion.relate(state, neighbours), neighbours)
        return torch.cat([encoded, pooled], dim=-1)

    def step(self, hidden: Tensor, motion: Tensor, labels: Tensor, features: Tensor | None) -> tuple[Tensor, Tensor]:
        """One instant of N tracks: hidden (N, H) to the new hidden (N, H) and the encoded objects (N, E)."""
        embedded = self.embed(motion, labels, features)
        outputs, _ = self.gru(embedded[:, None], hidden[None].contiguous())
        return outputs[:, 0], torch.cat([outputs[:, 0], embedded], dim=-1)

    def decode(self, encoded: Tensor, state: MotionState, times_s: Tensor, labels: Tensor) -> Futures:
        """The futures at ``times_s`` (T,) from now, 0 to the horizon, of objects of these classes (N,)."""
        config, motion, size = self.config, self.motion, self.motion.dimensions
        raw = self.decoder(self.dropout(encoded)).unflatten(-1, (config.modes, -1))
        logits, mixing, curve, spread = raw.split(
            [1, motion.candidates, size * config.curve_degree, size * (config.spread_degree + 1)], dim=-1
        )
        ahead = times_s / config.horizon_s
        curve_basis = _powers(ahead, config.curve_degree, start=1) @ self.curve_basis
        spread_basis = self.spread_curves(times_s)
        scale = motion.scale(state)[:, None, None, :]
        velocity = torch.einsum("nkr,nrd->nkd", mixing.softmax(dim=-1), motion.velocities(state))
        bend = torch.einsum("nkpd,tp->nktd", curve.unflatten(-1, (config.curve_degree, size)), curve_basis)
        moved = velocity[:, :, None, :] * times_s[:, None] + bend * scale
        widths = spread.unflatten(-1, (config.spread_degree + 1, size)) + self.sigma_correction[labels][:, None]
        log_std = torch.einsum("nkpd,tp->nktd", widths, spread_basis)
        # The standard deviation grows about linearly with the horizon; the network predicts a factor.
        base = 0.03 + 0.3 * ahead[:, None]
        stds = log_std.clamp(-_MAX_LOG_STD, _MAX_LOG_STD).exp() * base * scale
        # Each future is at most as probable as the one before it: the first is the best guess by construction, and the
        # first few are what the loss makes good together.
        logit_gaps = nn.functional.softplus(logits[:, 1:, 0]).cumsum(dim=1)
        return Futures(self.log_probabilities(logit_gaps, self.mode_correction), motion.position(state, moved), stds)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Weights of version 0.1 have other names for some parts."""
        for old, new in OLD_NAMES.items():
            for name in [name for name in state_dict if name.startswith(prefix + old)]:
                state_dict[prefix + new + name.removeprefix(prefix + old)] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *args)  # type: ignore[no-untyped-call]

    @staticmethod
    def log_probabilities(logit_gaps: Tensor, correction: Tensor) -> Tensor:
        """(N, K), sorted: ``logit_gaps`` (N, K - 1) state how far each logit is below the first's, ``correction`` is
        ``mode_correction``."""
        lower = -logit_gaps * (-correction[0]).exp() - correction[1]
        return nn.functional.pad(lower, (1, 0)).log_softmax(dim=-1)

    def spread_curves(self, times_s: Tensor) -> Tensor:
        """(T, P): the curves of which the logarithms of spreads are made, at ``times_s`` (T,)."""
        return _powers(times_s / self.config.horizon_s, self.config.spread_degree, start=0) @ self.spread_basis


def correction_shapes(config: GruConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of the tensors that calibration changes, by name; zeros change nothing."""
    dimensions = motion_of(config.reference_frame).dimensions
    return {"sigma_correction": (len(CLASSES), config.spread_degree + 1, dimensions), "mode_correction": (2,)}


def motion_of(reference_frame: ReferenceFrame) -> Motion:
    """The motion that tracks of this frame contain."""
    return GroundMotion() if reference_frame == "ground" else ImageMotion()


def _powers(values: Tensor, degree: int, *, start: int) -> Tensor:
    """(T,) to (T, P): the powers from ``start`` to ``degree``."""
    return torch.stack([values**power for power in range(start, degree + 1)], dim=-1)


def _orthonormal_powers(degree: int, *, start: int) -> Tensor:
    """(P, P): combines powers of time in 0..1 into curves of unit size that do not repeat one another."""
    times = np.linspace(0, 1, 101)
    powers = np.stack([times**power for power in range(start, degree + 1)], axis=1)
    triangular = np.linalg.qr(powers / np.sqrt(len(times)))[1]
    return torch.from_numpy(np.linalg.inv(triangular)).float()
