"""``perception train forecaster --study features``: what the CNN's feature is worth to the forecast."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from perception.cli.train.common import train_behind_bar
from perception.errors import UsageError

if TYPE_CHECKING:
    import torch

    from perception.arrays import FloatArray
    from perception.detection import RoadNetDetector
    from perception.forecasting.track_dataset import TrackSet, Windows
    from perception.training.engine.trainer import Task
    from perception.training.experiments.feature_ablation import Feature, SeeingForecaster, Worth
    from perception.training.forecaster.config import RecordingData
    from perception.training.forecaster.task import ForecasterTraining

_POSSESSIVE = "'s"


def study_features(
    training: ForecasterTraining,
    root: Path,
    weights: Path,
    folder: Path,
    console: Console,
    *,
    device: torch.device,
) -> None:
    """A table, ``study.json`` and ``study.png``; goes on where it was stopped.

    Learns from the configuration's ``train`` drives and measures on those of ``validation``; ``weights`` are RoadNet's.
    """
    import numpy as np

    from perception.detection import DetectionSettings, read_roadnet
    from perception.files import whole_file, write_json
    from perception.training.experiments.feature_ablation import (
        FEATURES,
        draw_worths,
        errors_m,
        given_features,
        rows_to_examine,
        seeing_task,
        to_json,
        worths,
    )
    from perception.training.experiments.roi_features import looking_detector
    from perception.training.forecaster.task import check_apart

    if training.reference_frame != "ground" or not training.train or not training.validation:
        raise UsageError(
            "--study features: needs reference_frame ground, and drives with truth as train and as validation."
        )
    check_apart(root, training)
    model, _ = read_roadnet(weights)
    detector = looking_detector(model, DetectionSettings(image_size_px=training.image_size_px), device=device)
    learnt, held_out = (
        _tracked(drives, root, detector, folder, console) for drives in (training.train, training.validation)
    )
    examined = rows_to_examine(held_out)
    errors: dict[Feature, list[FloatArray]] = {}
    for feature in FEATURES:
        errors[feature] = []
        known, new = (given_features(feature, tracks, model) for tracks in (learnt, held_out))
        for seed in range(training.settings.seed, training.settings.seed + training.seeds):
            name = f"{feature.lower().removesuffix(_POSSESSIVE)}-seed{seed}"
            console.rule(name, style="dim")
            measured = folder / name / "errors.npy"
            if not measured.is_file():
                settings = training.settings.model_copy(update={"seed": seed})
                config = training.model_copy(update={"settings": settings})
                task = seeing_task(feature, config, known, new, model, device)
                network = _trained(task, config, folder / name, console, device, root)
                with whole_file(measured) as temporary, temporary.open("wb") as stream:
                    np.save(stream, errors_m(network.cpu(), new, examined))
            errors[feature].append(np.load(measured, allow_pickle=False))
    found = worths(errors, examined, np.random.default_rng(0))
    draw_worths(found, folder / "study.png")
    write_json(folder / "study.json", {"ahead_s": 3, "seeds": training.seeds, "worths": to_json(found)})
    console.print(_table(found))
    counts = {worth.group: f"{worth.group}: {worth.targets:,} of {worth.objects:,} objects" for worth in found}
    console.print(
        "minFDE of the futures and FDE of their mean, in metres at 3 s, means over the seeds; ± half of the seeds' "
        "range; the last column is minFDE over that without features, with 95 % from a paired bootstrap over objects. "
        "told: brake lights, indicators and heading from the truth, in place of what an eye could see. "
        f"Targets: {'; '.join(counts.values())}.",
        style="dim",
    )
    console.print(str(folder), highlight=False, soft_wrap=True, markup=False)


def _trained(
    task: Task[Windows],
    training: ForecasterTraining,
    folder: Path,
    console: Console,
    device: torch.device,
    root: Path,
) -> SeeingForecaster:
    """Goes on where a training was stopped."""
    from perception.training.engine.trainer import train

    folder.mkdir(exist_ok=True)
    network, _ = train_behind_bar(
        lambda on_step: train(task, training.settings, folder=folder, device=device, on_step=on_step),
        training.settings.steps,
        folder,
        console,
        title="TrajectoryGRU",
        root=root,
        again=f"{folder.parent} --study features",
    )
    return network  # type: ignore[no-any-return]


def tracks_file(path: Path, drive: RecordingData) -> str:
    """The name of the file with a drive's tracks: drives of one name in two folders are two, as are other rates."""
    origin = hashlib.sha256(f"{path.resolve()} {drive.strides}".encode()).hexdigest()[:8]
    return f"{path.name}-{origin}.npz"


def _tracked(
    drives: Sequence[RecordingData], root: Path, detector: RoadNetDetector, folder: Path, console: Console
) -> TrackSet:
    """All drives through detector and tracker, with looks and what the truth tells; what was tracked is read again."""
    import numpy as np

    from perception.forecasting.track_dataset import join
    from perception.training.experiments.oracle_features import TOLD, told_by_truth
    from perception.training.forecaster.data.track_cache import read_tracks, write_tracks
    from perception.training.forecaster.data.track_recordings import observe_drive
    from perception.training.forecaster.task import folders_of

    kept = folder / "tracks"
    kept.mkdir(exist_ok=True)
    sets = []
    for path, drive in folders_of(root, drives):
        file = kept / tracks_file(path, drive)
        if not file.is_file():
            with console.status(f"tracking {path.name}"):
                tracks = join(observe_drive(path, detector, strides=drive.strides))
                features = np.concatenate([tracks.features, told_by_truth(tracks, path)], axis=1)
            write_tracks(file, replace(tracks, features=features.astype(np.float16)))
        tracks = read_tracks(file)
        if tracks.feature_size != detector.feature_size + len(TOLD):
            raise UsageError(f"{file}: is of another detector or version; remove it, and its drive is tracked again.")
        sets.append(tracks)
    return join(sets)


def _table(found: Sequence[Worth]) -> Table:
    table = Table(
        title="What the CNN's feature is worth",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    for heading in ("targets", "feature"):
        table.add_column(heading, no_wrap=True)
    for heading in ("minFDE", "±", "FDE", "CV", "over none"):
        table.add_column(heading, justify="right", no_wrap=True)
    shown: set[str] = set()
    for worth in found:
        if shown and worth.group not in shown:
            table.add_section()
        heading = "" if worth.group in shown else worth.group
        shown.add(worth.group)
        ratio, interval = worth.against_none.ratio, worth.against_none.ratio_interval
        over = (
            ""
            if worth.feature == "none" or ratio is None or interval is None
            else (f"{ratio:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]")
        )
        spread = max(worth.by_seed_m) - min(worth.by_seed_m)
        table.add_row(
            heading,
            worth.feature,
            f"{worth.min_fde_m:.2f}",
            f"{spread / 2:.2f}",
            f"{worth.fde_m:.2f}",
            f"{worth.constant_velocity_m:.1f}",
            over,
        )
    return table
