"""``perception train forecaster --from-video``: our own detector and tracker label what no one has labelled."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from perception.cli.train.common import progress_bar
from perception.errors import UsageError

if TYPE_CHECKING:
    from perception.cli.train.trainer import Trainer
    from perception.protocols import Detector
    from perception.training.experiments.data_scaling import Amount
    from perception.training.forecaster.data.pseudo_labels_image import SelfLabelled
    from perception.training.forecaster.task import ForecasterTraining
    from perception.types import ReferenceFrame


def study_videos(
    trainer: Trainer,
    training: ForecasterTraining,
    observer: Detector,
    videos: Sequence[Path],
    folder: Path,
    console: Console,
) -> None:
    """Train with more and more video; a table, ``study.json`` and ``study.png``; goes on where it was stopped."""
    from dataclasses import asdict, replace

    from perception.files import write_json
    from perception.forecasting.track_dataset import join
    from perception.training.experiments.data_scaling import SHARES, Amount, draw_amounts
    from perception.training.forecaster.data.pseudo_labels_image import videos_below
    from perception.training.forecaster.task import folders_of

    if not training.validation:
        raise UsageError("--from-video: the configuration must name recordings with ground truth as validation.")
    paths = [path for below in videos for path in videos_below(below)]
    held_out = {path.resolve() for path, _ in folders_of(trainer.root, training.validation)}
    seen = [path for path in paths if path.resolve() in held_out]
    if seen:
        raise UsageError(f"--from-video: {seen[0]} is held out by the configuration; leave it out here.")
    base = trainer.load(training.model_copy(update={"train": ()}))
    amounts: list[Amount] = []
    frame = training.reference_frame
    if base.jaad is not None or base.traffic is not None:
        amounts.append(
            Amount.of(trainer.train(training, folder / "no-video", title="no video", data=base), 0.0, 0, frame)
        )
    labelled = _labelled(paths, observer, folder, console, frame)
    for share in SHARES:
        parts = [part[share] for part in labelled.values()]
        sets = [part.tracks for part in parts if part.tracks is not None]
        name = f"{share:.0%} of the video".replace("%", " %")
        if not sets:
            console.print(f"{name}: no track passed the gate.", highlight=False)
            continue
        data = replace(base, recordings=join(sets))
        history = trainer.train(training, folder / f"video-{round(100 * share)}-percent", title=name, data=data)
        amounts.append(Amount.of(history, sum(p.seconds for p in parts) / 60, sum(p.kept for p in parts), frame))
    console.print(_gate_table(labelled))
    if not any(part[share].kept for part in labelled.values() for share in SHARES):
        raise UsageError(f"--from-video {videos[0]}: no track passed the gate; give longer or clearer videos.")
    draw_amounts(amounts, folder / "study.png")
    write_json(
        folder / "study.json",
        {
            "amounts": [asdict(amount) for amount in amounts],
            "videos": {
                name: {"seconds": part[1.0].seconds, "kept": part[1.0].kept, "dropped": part[1.0].dropped}
                for name, part in labelled.items()
            },
        },
    )
    console.print(_amounts_table(amounts, digits=1 if frame == "image" else 2))
    unit = "thousandths of the image" if frame == "image" else "metres"
    console.print(
        f"Held-out video with ground truth, tracked by our own tracker: mean distance in {unit} of the mean over the "
        "futures, and its ratio to constant velocity.",
        style="dim",
    )
    console.print(str(folder), highlight=False, soft_wrap=True, markup=False)


def _labelled(
    paths: Sequence[Path], observer: Detector, folder: Path, console: Console, frame: ReferenceFrame
) -> dict[str, dict[float, SelfLabelled]]:
    """By video and share of it; what was labelled before is read again."""
    from perception.files import read_json, write_json
    from perception.sources import open_source
    from perception.training.experiments.data_scaling import SHARES
    from perception.training.forecaster.data.pseudo_labels_image import SelfLabelled
    from perception.training.forecaster.data.track_cache import read_tracks, write_tracks

    found: dict[str, dict[float, SelfLabelled]] = {}
    names = [path.name for path in paths]
    labels = folder / "labels"
    labels.mkdir(exist_ok=True)
    for number, path in enumerate(paths):
        files = {share: labels / f"{number:03d}-{path.name}-{round(100 * share)}-percent" for share in SHARES}
        counted = {share: file.with_name(f"{file.name}.json") for share, file in files.items()}
        tracked = {share: file.with_name(f"{file.name}.npz") for share, file in files.items()}
        if not all(file.is_file() for file in counted.values()):
            total = open_source([str(path)]).length
            with progress_bar(console) as progress:
                bar = progress.add_task(f"watching {path.name}", total=total)
                labels_of = _watch(path, observer, frame, lambda bar=bar: progress.advance(bar))  # type: ignore[misc]
            for share in SHARES:
                result = labels_of(share)
                if result.tracks is not None:
                    write_tracks(tracked[share], result.tracks)
                counts = {"kept": result.kept, "dropped": result.dropped, "seconds": result.seconds}
                write_json(counted[share], counts)
        name = path.name if names.count(path.name) == 1 else f"{path.parent.name}/{path.name}"
        found[name] = {}
        for share in SHARES:
            counts = read_json(counted[share])
            tracks = read_tracks(tracked[share]) if counts["kept"] else None
            found[name][share] = SelfLabelled(tracks, counts["kept"], counts["dropped"], counts["seconds"])
    return found


def _watch(
    path: Path, observer: Detector, frame: ReferenceFrame, on_instant: Callable[[], None]
) -> Callable[[float], SelfLabelled]:
    """See a whole video; returns what labels a share of it."""
    from perception.tracking import TrackerSettings
    from perception.training.forecaster.data.pseudo_labels_ground import label_drive, watch_drive
    from perception.training.forecaster.data.pseudo_labels_image import Gate, label, watch

    if frame == "ground":
        drive = watch_drive(path, observer, on_instant)
        return lambda share: label_drive(drive, Gate(), share=share)
    instants = list(watch(path, observer, on_instant))
    settings = TrackerSettings.for_detector(observer)
    return lambda share: label(instants[: math.ceil(share * len(instants))], Gate(), settings)


def _gate_table(labelled: dict[str, dict[float, SelfLabelled]]) -> Table:
    from perception.training.forecaster.data.pseudo_labels_image import REASONS

    table = Table(title="Tracks that may teach, and why others may not", title_justify="left")
    table.add_column("video")
    for heading in ("seconds", "kept", *REASONS):
        table.add_column(heading, justify="right")
    total: Counter[str] = Counter()
    for name, parts in labelled.items():
        part = parts[1.0]
        row = {"seconds": round(part.seconds), "kept": part.kept, **part.dropped}
        total.update(row)
        table.add_row(name, *(str(value) for value in row.values()))
    table.add_section()
    table.add_row("all", *(str(value) for value in total.values()))
    return table


def _amounts_table(amounts: list[Amount], *, digits: int) -> Table:
    from perception.training.experiments.data_scaling import SECONDS

    table = Table(title="What unlabelled video is worth", title_justify="left")
    table.add_column("minutes", justify="right")
    table.add_column("tracks", justify="right")
    for second in SECONDS:
        table.add_column(f"{second} s", justify="right")
    for amount in amounts:
        pairs = zip(amount.fde, amount.ratios, strict=True)
        cells = ["–" if ratio is None else f"{fde:.{digits}f} ({ratio:.2f})" for fde, ratio in pairs]
        table.add_row(f"{amount.minutes:.1f}", str(amount.kept), *cells)
    table.add_section()
    table.add_row("", "CV", *(f"{cv:.{digits}f}" for cv in amounts[0].cv))
    return table
