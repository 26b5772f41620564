"""The study of feature ablation: each kind of feature with each seed, compared in pairs with no feature."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from perception.arrays import FloatArray
from perception.detection import DetectionSettings, RoadNetDetector, read_roadnet
from perception.errors import UsageError
from perception.evaluation.core.bootstrap import PairedComparison, compare_paired
from perception.files import atomic_write, write_json
from perception.forecasting.track_dataset import TrackSet, join
from perception.training.engine.reporting import Reporter, train_and_report
from perception.training.experiments.feature_ablation import (
    AHEAD_S,
    FEATURES,
    EvaluationRows,
    Feature,
    JointForecaster,
    ablation_task,
    evaluation_rows,
    forecast_errors_m,
    with_features,
)
from perception.training.experiments.oracle_features import ORACLE_FEATURES, oracle_features
from perception.training.experiments.roi_features import roi_feature_detector
from perception.training.forecaster.config import ForecasterTraining
from perception.training.forecaster.data_modules.ground import GroundDataConfig
from perception.training.forecaster.data_modules.recordings import RecordingConfig, recording_folders
from perception.training.forecaster.tracks.track_cache import read_tracks, write_tracks
from perception.training.forecaster.tracks.track_recordings import track_drive

NAME = "features"
"""How the command line calls this study."""

_COLOURS: Mapping[Feature, str] = {"none": "#718096", "roadnet": "#3366cc", "joint": "#2f855a", "oracle": "#c05621"}


@dataclass(frozen=True)
class AblationResult:
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


def compare_features(
    errors: Mapping[Feature, Sequence[FloatArray]], rows: EvaluationRows, rng: np.random.Generator
) -> list[AblationResult]:
    """``errors`` of each seed as ``forecast_errors_m`` gives them, those without features among them."""
    mean = {feature: np.mean(seeds, axis=0) for feature, seeds in errors.items()}
    found = []
    for group, chosen in rows.groups.items():
        if not chosen.any():
            continue
        for feature, (best, expected, straight) in mean.items():
            found.append(
                AblationResult(
                    group,
                    feature,
                    int(chosen.sum()),
                    len(np.unique(rows.objects[chosen])),
                    float(best[chosen].mean()),
                    float(expected[chosen].mean()),
                    float(straight[chosen].mean()),
                    tuple(float(seed[0, chosen].mean()) for seed in errors[feature]),
                    compare_paired(
                        model=best[chosen], baseline=mean["none"][0, chosen], objects=rows.objects[chosen], rng=rng
                    ),
                )
            )
    return found


def run_feature_ablation(
    config: ForecasterTraining, root: Path, weights: Path, folder: Path, *, device: torch.device, reporter: Reporter
) -> list[AblationResult]:
    """Learn from the ``train`` drives, evaluate on those of ``validation``; ``weights`` are RoadNet's.

    Writes ``study.json`` and ``study.png``; goes on where it was stopped. Raises ``UsageError`` where the configuration
    names no such drives.
    """
    data = config.data
    if not isinstance(data, GroundDataConfig) or not data.train or not data.validation:
        raise UsageError(
            "needs data of kind ground, with drives with truth as train and as validation.", field="study", value=NAME
        )
    data.check_disjoint(root)
    model, _ = read_roadnet(weights)
    detector = roi_feature_detector(model, DetectionSettings(image_size_px=data.image_size_px), device=device)
    train, held_out = (
        _tracked(drives, root, detector, folder / "tracks", reporter) for drives in (data.train, data.validation)
    )
    rows = evaluation_rows(held_out)
    errors: dict[Feature, list[FloatArray]] = {}
    for feature in FEATURES:
        errors[feature] = []
        with_train, with_held_out = (with_features(feature, tracks, model) for tracks in (train, held_out))
        for seed in range(config.settings.seed, config.settings.seed + config.seeds):
            name = f"{feature}-seed{seed}"
            reporter.heading(name)
            errors_file = folder / name / "errors.npy"
            if not errors_file.is_file():
                settings = config.settings.model_copy(update={"seed": seed})
                of_seed = config.model_copy(update={"settings": settings})
                task = ablation_task(feature, of_seed, with_train, with_held_out, model, device)
                (folder / name).mkdir(exist_ok=True)
                network, _ = train_and_report(
                    task, settings, folder=folder / name, device=device, reporter=reporter, title="TrajectoryGRU"
                )
                assert isinstance(network, JointForecaster)
                with atomic_write(errors_file) as temporary, temporary.open("wb") as stream:
                    np.save(stream, forecast_errors_m(network.cpu(), with_held_out, rows))
            errors[feature].append(np.load(errors_file, allow_pickle=False))
    results = compare_features(errors, rows, np.random.default_rng(0))
    plot_ablation(results, folder / "study.png")
    content = {"ahead_s": AHEAD_S, "seeds": config.seeds, "results": [asdict(result) for result in results]}
    write_json(folder / "study.json", content)
    return results


def tracks_file_name(path: Path, drive: RecordingConfig) -> str:
    """The name of the file with a drive's tracks: drives of one name in two folders are two, as are other rates."""
    origin = hashlib.sha256(f"{path.resolve()} {drive.strides}".encode()).hexdigest()[:8]
    return f"{path.name}-{origin}.npz"


def _tracked(
    drives: Sequence[RecordingConfig], root: Path, detector: RoadNetDetector, folder: Path, reporter: Reporter
) -> TrackSet:
    """All drives through detector and tracker, with RoI and oracle features; what was tracked is read again."""
    folder.mkdir(exist_ok=True)
    sets = []
    for path, drive in recording_folders(root, drives):
        file = folder / tracks_file_name(path, drive)
        if not file.is_file():
            with reporter.progress(f"tracking {path.name}", None):
                tracks = join(track_drive(path, detector, strides=drive.strides))
                features = np.concatenate([tracks.features, oracle_features(tracks, path)], axis=1)
            write_tracks(file, replace(tracks, features=features.astype(np.float16)))
        tracks = read_tracks(file)
        if tracks.feature_size != detector.feature_size + len(ORACLE_FEATURES):
            raise UsageError(f"{file}: is of another detector or version; remove it, and its drive is tracked again.")
        sets.append(tracks)
    return join(sets)


def plot_ablation(found: Sequence[AblationResult], path: Path) -> None:
    """Write a PNG: for each group the minFDE over that without features, a dot for each seed, bars for 95 %."""
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    groups = list(dict.fromkeys(result.group for result in found))
    for result in found:
        none = next(w for w in found if w.group == result.group and w.feature == "none")
        x = groups.index(result.group) + 0.2 * (FEATURES.index(result.feature) - 1.5)
        colour = _COLOURS[result.feature]
        label = result.feature if result.group == groups[0] else None
        ratio, interval = result.against_none.ratio or 1.0, result.against_none.ratio_interval
        if interval is not None and result.feature != "none":
            axis.plot([x, x], interval, color=colour, linewidth=2)
        axis.plot(x, ratio, "o", color=colour, markersize=9, label=label)
        axis.plot(
            np.full(len(result.by_seed_m), x + 0.05), np.array(result.by_seed_m) / none.min_fde_m, ".", color=colour
        )
    axis.axhline(1.0, color="0.6", linestyle=":")
    axis.set_xticks(range(len(groups)), groups)
    axis.set_ylabel("minFDE at 3 s over that without features")
    axis.set_title("Feature ablation", loc="left", fontweight="bold")
    axis.grid(axis="y", alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, title="feature")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
