"""What the CNN's feature is worth to the forecaster: without it, with RoadNet's, and learnt together with the forecast.

In that case the loss of the forecast flows back through time, through the GRU, into the convolutions that make the
embedding: the network may say what the future depends on, instead of what tells one object from another. How far that
could lead at best is measured, too: with the lamps and the heading that the simulator knows, in place of a feature.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn

from perception.arrays import FloatArray, IntArray
from perception.detection.roadnet.shuffle import AnyRoadNet
from perception.evaluation.core.bootstrap import PairedComparison, compare_paired
from perception.files import whole_file
from perception.forecasting.batch_prediction import encode_windows
from perception.forecasting.features.ground_motion import CAR_PLACE, PLACE, VELOCITY
from perception.forecasting.track_dataset import GROUND_GRID, TrackSet, Windows, windows_at
from perception.forecasting.trajectory_gru import HORIZONS_S, GruConfig, TrajectoryGRU
from perception.training.engine.trainer import Task, Validation
from perception.training.experiments.oracle_features import TOLD
from perception.training.experiments.roi_features import ObjectLook
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.task_ground import ERRORS_AT_S, GroundLessons, ground_errors_m

Feature = Literal["none", "RoadNet's", "joint", "told"]
FEATURES: tuple[Feature, ...] = get_args(Feature)
AHEAD_S = 3

_VEHICLES = 3
_MOVING_MPS, _NEAR_M = 1.0, 20.0
_LOOKS_AT_ONCE = 4096
_EXAMINED_ROWS = 40_000
_WATCHED_ROWS, _WATCHED_LENGTH = 500, 16
_COLOURS: Mapping[Feature, str] = {"none": "#718096", "RoadNet's": "#3366cc", "joint": "#2f855a", "told": "#c05621"}
_TOWERS_PACE = 0.03
"""RoadNet's convolutions have learnt already; at the rate of the recurrent network they learn few drives by heart."""


class SeeingForecaster(nn.Module):
    """TrajectoryGRU behind what makes its features: nothing, where they are given as they are, or ``ObjectLook``."""

    def __init__(self, look: nn.Module, gru: TrajectoryGRU) -> None:
        super().__init__()
        self.look, self.gru = look, gru

    def seen(self, windows: Windows) -> Windows:
        """The windows with the features that the GRU reads."""
        return windows if windows.features is None else replace(windows, features=self.look(windows.features))


def given_features(feature: Feature, tracks: TrackSet, model: AnyRoadNet) -> TrackSet:
    """``tracks`` as they are learnt from: without features, with ``model``'s embeddings, with looks, or with what the
    truth tells. Their features are looks and, in the last columns, ``TOLD``."""
    if feature == "none":
        return replace(tracks, features=np.zeros((len(tracks.features), 0), np.float32))
    if feature == "told":
        return replace(tracks, features=tracks.features[:, -len(TOLD) :])
    looks = replace(tracks, features=tracks.features[:, : -len(TOLD)])
    return looks if feature == "joint" else _embedded(looks, ObjectLook(model))


def seeing_task(
    feature: Feature,
    config: ForecasterTraining,
    tracks: TrackSet,
    held_out: TrackSet,
    model: AnyRoadNet,
    device: torch.device,
) -> Task[Windows]:
    """What ``loop.train`` needs; both sets are those of ``given_features``.

    The loss on ``held_out`` is told but chooses nothing: the last weights count.
    """
    lessons = GroundLessons(config, [(1.0, tracks)], {})
    torch.manual_seed(config.settings.seed)
    gru = TrajectoryGRU(
        GruConfig(
            hidden_size=config.hidden_size,
            dropout=config.dropout,
            feature_size=len(TOLD) if feature == "told" else model.config.embedding_size,
            horizon_s=HORIZONS_S["ground"],
            modes=config.modes,
            interaction_dim=config.interaction_dim,
            reference_frame="ground",
        )
    )
    network = SeeingForecaster(ObjectLook(model) if feature == "joint" else nn.Identity(), gru)
    times = torch.from_numpy(GROUND_GRID.times_s).float().to(device)

    def draw_batch(step: int) -> Windows:
        return lessons.draw(np.random.default_rng([config.settings.seed, step])).to(device)

    def loss_of(network: nn.Module, windows: Windows) -> dict[str, Tensor]:
        assert isinstance(network, SeeingForecaster)
        encoded, state = encode_windows(network.gru, network.seen(windows))
        return lessons.loss(network.gru.decode(encoded, state, times, windows.labels), windows, state)

    ends = held_out.ends(2, 1)
    watched = windows_at(held_out, ends[:: 1 + len(ends) // _WATCHED_ROWS], length=_WATCHED_LENGTH).to(device)

    @torch.inference_mode()
    def validate(network: nn.Module) -> Validation:
        # Later ones are always better, those of a training that was resumed, too: what counts are the last weights.
        return Validation(float(loss_of(network, watched)["total"]), time.time(), {})

    return Task(network, draw_batch, loss_of, validate, paces={"look.": _TOWERS_PACE})


@dataclass(frozen=True)
class Examined:
    """Rows of held-out tracks at which forecasts are measured: ``ends`` (N,), the true object of each (N,), and by name
    which of them belong to a group (N,)."""

    ends: IntArray
    objects: IntArray
    groups: Mapping[str, NDArray[np.bool_]]


def rows_to_examine(tracks: TrackSet) -> Examined:
    """Rows whose future is known 3 s ahead, evenly chosen."""
    ends = tracks.ends(2, 1)
    ahead = tracks.truth_rows[ends] + AHEAD_S * int(GROUND_GRID.rate_fps)
    is_known = ahead < tracks.truth_ends[ends]
    is_known[is_known] = tracks.known[ahead[is_known]]
    ends = ends[is_known]
    ends = ends[:: 1 + len(ends) // _EXAMINED_ROWS]
    now = tracks.observations[ends]
    labels = tracks.labels[np.searchsorted(tracks.starts, ends, side="right") - 1]
    moving = (labels < _VEHICLES) & (np.linalg.norm(now[:, VELOCITY], axis=1) > _MOVING_MPS)
    near = np.linalg.norm(now[:, PLACE] - now[:, CAR_PLACE], axis=1) < _NEAR_M
    groups = {
        "all": np.ones(len(ends), bool),
        "moving vehicles": moving,
        f"moving within {_NEAR_M:.0f} m": moving & near,
    }
    return Examined(ends, tracks.truth_ends[ends], groups)


def errors_m(network: SeeingForecaster, tracks: TrackSet, examined: Examined) -> FloatArray:
    """(3, N): ``ground_errors_m`` at 3 s; ``tracks`` are those of ``given_features``."""
    seen = _embedded(tracks, network.look) if isinstance(network.look, ObjectLook) else tracks
    return ground_errors_m(network.gru.eval(), seen, examined.ends)[:, :, ERRORS_AT_S.index(AHEAD_S)]


@dataclass(frozen=True)
class Worth:
    """One group of targets and one kind of feature: minFDE of the K futures and FDE of the mean one, in metres at 3 s,
    as means over the seeds, each seed's minFDE, constant velocity's error, and the comparison with no feature."""

    group: str
    feature: Feature
    targets: int
    objects: int
    min_fde_m: float
    fde_m: float
    constant_velocity_m: float
    by_seed_m: tuple[float, ...]
    against_none: PairedComparison


def worths(errors: Mapping[Feature, Sequence[FloatArray]], examined: Examined, rng: np.random.Generator) -> list[Worth]:
    """``errors`` of each seed as ``errors_m`` gives them, those without features among them."""
    mean = {feature: np.mean(seeds, axis=0) for feature, seeds in errors.items()}
    found = []
    for group, rows in examined.groups.items():
        if not rows.any():
            continue
        for feature, (best, expected, straight) in mean.items():
            found.append(
                Worth(
                    group,
                    feature,
                    int(rows.sum()),
                    len(np.unique(examined.objects[rows])),
                    float(best[rows].mean()),
                    float(expected[rows].mean()),
                    float(straight[rows].mean()),
                    tuple(float(seed[0, rows].mean()) for seed in errors[feature]),
                    compare_paired(
                        model=best[rows], baseline=mean["none"][0, rows], objects=examined.objects[rows], rng=rng
                    ),
                )
            )
    return found


def to_json(found: Sequence[Worth]) -> list[dict[str, object]]:
    """Plain values for ``study.json``."""
    return [asdict(worth) for worth in found]


def draw_worths(found: Sequence[Worth], path: Path) -> None:
    """Write a PNG: for each group the minFDE over that without features, a dot for each seed, bars for 95 %."""
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    groups = list(dict.fromkeys(worth.group for worth in found))
    for worth in found:
        none = next(w for w in found if w.group == worth.group and w.feature == "none")
        place = groups.index(worth.group) + 0.2 * (FEATURES.index(worth.feature) - 1.5)
        colour = _COLOURS[worth.feature]
        label = worth.feature if worth.group == groups[0] else None
        ratio, interval = worth.against_none.ratio or 1.0, worth.against_none.ratio_interval
        if interval is not None and worth.feature != "none":
            axis.plot([place, place], interval, color=colour, linewidth=2)
        axis.plot(place, ratio, "o", color=colour, markersize=9, label=label)
        axis.plot(
            np.full(len(worth.by_seed_m), place + 0.05), np.array(worth.by_seed_m) / none.min_fde_m, ".", color=colour
        )
    axis.axhline(1.0, color="0.6", linestyle=":")
    axis.set_xticks(range(len(groups)), groups)
    axis.set_ylabel("minFDE at 3 s over that without features")
    axis.set_title("What the CNN's feature is worth", loc="left", fontweight="bold")
    axis.grid(axis="y", alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, title="feature")
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


@torch.inference_mode()
def _embedded(tracks: TrackSet, look: ObjectLook) -> TrackSet:
    """``tracks`` with embeddings in place of the looks."""
    parts = [
        look(torch.from_numpy(tracks.features[start : start + _LOOKS_AT_ONCE]).float()).numpy()
        for start in range(0, len(tracks.features), _LOOKS_AT_ONCE)
    ]
    return replace(tracks, features=np.concatenate(parts))
