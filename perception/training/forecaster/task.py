"""``perception train forecaster``: TrajectoryGRU from tracks to weights, in the image or on the ground."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from perception.benchmarks import BENCHMARKS, Benchmark, Split
from perception.benchmarks.jaad import JaadTracks, from_jaad, read_jaad
from perception.errors import UsageError
from perception.forecasting.batch_prediction import encode_windows
from perception.forecasting.features.motion import MotionState
from perception.forecasting.track_dataset import Grid, TrackSet, Windows, join
from perception.forecasting.trajectory_gru import HORIZONS_S, Futures, GruConfig, TrajectoryGRU
from perception.protocols import Detector
from perception.training.engine.trainer import Task, Validation
from perception.training.forecaster.config import ForecasterTraining, RecordingData, TrafficData
from perception.training.forecaster.data.track_recordings import observe_drive, observe_recording
from perception.training.forecaster.mode_calibration import FirstFuture, calibrate_choice
from perception.training.forecaster.sigma_calibration import Calibrated, calibrate_spreads
from perception.training.forecaster.task_benchmark import BenchmarkLessons
from perception.training.forecaster.task_ground import EXACT, GroundLessons
from perception.training.forecaster.task_image import ImageLessons

__all__ = [
    "ForecasterData",
    "ForecasterTraining",
    "RecordingData",
    "TrafficData",
    "forecaster_task",
    "load_forecaster_data",
]


class Lessons(Protocol):
    """What is learnt in one reference frame; futures lie on the ``grid``."""

    grid: Grid

    def draw(self, rng: np.random.Generator) -> Windows:
        """One batch. Raises ``UsageError`` where there is nothing to learn from."""
        ...

    def loss(self, futures: Futures, windows: Windows, state: MotionState) -> dict[str, Tensor]:
        """Scalars, ``total`` among them."""
        ...

    def validate(self, model: TrajectoryGRU) -> Validation:
        """How good the model is on what it did not learn from."""
        ...

    def unlearnt(self) -> dict[str, list[Windows]]:
        """A few thousand windows of each set that it did not learn from."""
        ...


@dataclass(frozen=True)
class ForecasterData:
    """Sets to learn from and to choose by. JAAD is for the image frame, traffic for the ground."""

    jaad: TrackSet | None = None
    jaad_validation: JaadTracks | None = None
    recordings: TrackSet | None = None
    recordings_validation: Mapping[str, TrackSet] = field(default_factory=dict)
    traffic: TrackSet | None = None
    traffic_validation: TrackSet | None = None
    exact: TrackSet | None = None
    exact_validation: TrackSet | None = None
    benchmark: tuple[Benchmark, Split, Split] | None = None

    def lessons(self, config: ForecasterTraining) -> Lessons:
        """What these sets teach in the configuration's reference frame."""
        if self.benchmark is not None:
            return BenchmarkLessons(config, *self.benchmark)
        if config.reference_frame == "image":
            return ImageLessons(config, self.jaad, self.jaad_validation, self.recordings, self.recordings_validation)
        share = config.recording_share if self.traffic is not None else 1.0
        of_traffic = 1 - share if self.recordings is not None else 1.0
        exactly = config.exact_share if self.exact is not None else 0.0
        sets = [
            (share, self.recordings),
            (of_traffic * (1 - exactly), self.traffic),
            (of_traffic * exactly, self.exact),
        ]
        validation = {
            "drives": join(self.recordings_validation.values()) if self.recordings_validation else None,
            "traffic": self.traffic_validation,
            EXACT: self.exact_validation,
        }
        return GroundLessons(
            config,
            [(part, tracks) for part, tracks in sets if tracks is not None],
            {name: tracks for name, tracks in validation.items() if tracks is not None},
        )


def folds_of(config: ForecasterTraining) -> tuple[str, ...]:
    """The folds that are trained one by one; ("",) where there are none. Raises ``UsageError`` for unknown ones."""
    if config.benchmark is None:
        return ("",)
    known = BENCHMARKS[config.benchmark.name].folds
    unknown = [fold for fold in config.benchmark.folds if fold not in known]
    if unknown and known == ("",):
        raise UsageError(f"benchmark.folds: {config.benchmark.name} has none; leave them out.")
    if unknown:
        raise UsageError(f"benchmark.folds: {unknown[0]!r} is none of {', '.join(known)}.")
    return config.benchmark.folds or known


def load_forecaster_data(config: ForecasterTraining, root: Path, observer: Detector, fold: str = "") -> ForecasterData:
    """Read JAAD, track the recordings with ``observer``, simulate the traffic; paths are relative to ``root``.

    Of a benchmark its ``fold`` is read.
    """
    rng = np.random.default_rng([config.settings.seed, 1])
    if config.benchmark is not None:
        benchmark, path = BENCHMARKS[config.benchmark.name], root / config.benchmark.path
        train, validation = benchmark.targets(path, "train", fold), benchmark.targets(path, "val", fold)
        return ForecasterData(benchmark=(benchmark, train.share(config.data_share, rng), validation))
    jaad = root / config.jaad if config.jaad is not None else None
    observe = observe_recording if config.reference_frame == "image" else observe_drive

    check_apart(root, config)

    def observed(recordings: tuple[RecordingData, ...], share: float) -> TrackSet | None:
        paths = folders_of(root, recordings)
        paths = paths[: math.ceil(share * len(paths))]
        sets = [tracks for path, recording in paths for tracks in observe(path, observer, strides=recording.strides)]
        return join(sets) if sets else None

    is_exact = config.exact_share > 0
    traffic, exact = _simulated(config.traffic, config.data_share, exact=is_exact)
    traffic_validation, exact_validation = _simulated(config.traffic_validation, 1.0, exact=is_exact)
    return ForecasterData(
        jaad=from_jaad(read_jaad(jaad, "train").share(config.data_share, rng)) if jaad else None,
        jaad_validation=read_jaad(jaad, "val") if jaad else None,
        recordings=observed(config.train, config.data_share),
        recordings_validation={
            recording.path.as_posix(): tracks
            for recording in config.validation
            if (tracks := observed((recording,), 1.0)) is not None
        },
        traffic=traffic,
        traffic_validation=traffic_validation,
        exact=exact,
        exact_validation=exact_validation,
    )


def forecaster_task(
    config: ForecasterTraining, data: ForecasterData, *, feature_space: str, feature_size: int, device: torch.device
) -> Task[Windows]:
    """What ``loop.train`` needs."""
    lessons = data.lessons(config)
    torch.manual_seed(config.settings.seed)
    model = TrajectoryGRU(
        GruConfig(
            hidden_size=config.hidden_size,
            dropout=config.dropout,
            feature_size=feature_size,
            feature_space=feature_space,
            horizon_s=max(HORIZONS_S[config.reference_frame], float(lessons.grid.times_s[-1])),
            modes=config.modes,
            interaction_dim=config.interaction_dim,
            reference_frame=config.reference_frame,
        )
    )
    times = torch.from_numpy(lessons.grid.times_s).float().to(device)

    def draw_batch(step: int) -> Windows:
        return lessons.draw(np.random.default_rng([config.settings.seed, step])).to(device)

    def loss_of(network: nn.Module, windows: Windows) -> dict[str, Tensor]:
        assert isinstance(network, TrajectoryGRU)
        encoded, state = encode_windows(network, windows)
        return lessons.loss(network.decode(encoded, state, times, windows.labels), windows, state)

    def validate(network: nn.Module) -> Validation:
        assert isinstance(network, TrajectoryGRU)
        try:
            return lessons.validate(network.cpu())
        finally:
            network.to(device)

    return Task(model, draw_batch, loss_of, validate)


def calibrate(
    config: ForecasterTraining, data: ForecasterData, model: TrajectoryGRU
) -> tuple[dict[str, FirstFuture], dict[str, Calibrated]]:
    """Make probabilities and spreads of a trained ``model`` mean what they say; see ``calibrate_choice`` and
    ``calibrate_spreads``, whose results are returned."""
    lessons = data.lessons(config)
    unlearnt, model = lessons.unlearnt(), model.cpu()
    chosen = calibrate_choice(model, unlearnt, lessons.grid)  # first, for spreads are those of the weighted mixture
    return chosen, calibrate_spreads(model, unlearnt, lessons.grid)


def check_apart(root: Path, config: ForecasterTraining) -> None:
    """Raises ``UsageError`` where a recording is to be learnt from and to judge."""
    learnt, judging = (
        {path.resolve() for path, _ in folders_of(root, part)} for part in (config.train, config.validation)
    )
    if shared := learnt & judging:
        raise UsageError(f"{min(shared)}: is among train and validation; what is learnt cannot judge.")


def folders_of(root: Path, recordings: Sequence[RecordingData]) -> list[tuple[Path, RecordingData]]:
    """Every recording's folder with its settings; raises ``UsageError`` where a pattern matches none."""
    return [(path, recording) for recording in recordings for path in _folders(root, recording.path)]


def _folders(root: Path, path: Path) -> list[Path]:
    """``path`` below ``root``, or all that match it where it is a pattern; raises ``UsageError`` when none do."""
    if not set("*?[") & set(str(path)):
        return [root / path]
    found = sorted(root.glob(str(path)))
    if not found:
        raise UsageError(f"{root / path}: matches no recording; check the pattern and --data.")
    return found


def _simulated(traffic: TrafficData | None, share: float, *, exact: bool) -> tuple[TrackSet | None, TrackSet | None]:
    """A share of the drives, tracked; and with ``exact`` the same with pasts without errors."""
    if traffic is None:
        return None, None
    from perception.training.forecaster.data.simulated_tracks import traffic_lessons

    seeds = range(traffic.first_seed, traffic.first_seed + math.ceil(share * traffic.drives))
    drives = [traffic_lessons(seed, traffic, exact=exact) for seed in seeds]
    tracked = join(tracks for sets, _ in drives for tracks in sets)
    return tracked, join(tracks for _, tracks in drives if tracks is not None) if exact else None
