"""The studies of ``perception train forecaster`` as tables on the console."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from perception.errors import counted

if TYPE_CHECKING:
    from perception.training.experiments.data_scaling import LabelsByShare, ScalingPoint, ScalingStudy
    from perception.training.experiments.feature_ablation_study import AblationResult
    from perception.training.experiments.overfitting import TrialResult
    from perception.training.forecaster.config import ForecasterTraining


def print_overfitting(results: Sequence[TrialResult], console: Console) -> None:
    """The losses of all trials."""
    console.print(_overfitting_table(results))
    console.print(
        "Validation loss, and its gap to the loss on a part of the training data, both without dropout. Early stopping "
        "keeps the weights of the best validation, and is measured on the data that chose them: a little too well.",
        style="dim",
    )


def print_scaling(study: ScalingStudy, config: ForecasterTraining, console: Console) -> None:
    """The accepted and rejected tracks, the errors for each amount of video."""
    frame = config.data.reference_frame
    console.print(_labels_table(study.labels))
    console.print(_scaling_table(study.points, digits=1 if frame == "image" else 2))
    unit = "thousandths of the image" if frame == "image" else "metres"
    console.print(
        f"Validation video, tracked by our own tracker: FDE of the mean future in {unit}, and its ratio to constant "
        "velocity (CV).",
        style="dim",
    )


def print_ablation(results: Sequence[AblationResult], console: Console) -> None:
    """The errors with each kind of feature."""
    console.print(_ablation_table(results))
    counts = {
        result.group: f"{result.group}: {result.targets:,} of {counted(result.objects, 'object')}" for result in results
    }
    console.print(
        "minFDE of the futures and FDE of their mean, in metres at 3 s, means over the seeds; ± half of the seeds' "
        "range. The last column is minFDE over that without features, with 95 % from a paired bootstrap over objects. "
        f"oracle: brake lights, indicators and heading from the truth. Targets: {'; '.join(counts.values())}.",
        style="dim",
    )


def _overfitting_table(results: Sequence[TrialResult]) -> Table:
    table = Table(title="Overfitting and its remedies", title_justify="left")
    table.add_column("data")
    table.add_column("remedies")
    for heading in ("at the end", "gap", "stopped early", "gap", "at step"):
        table.add_column(heading, justify="right")
    last = {(r.share, r.remedies): r for r in results if not r.stopped}
    stopped = {(r.share, r.remedies): r for r in results if r.stopped}
    lowest = {share: min(r.validation_loss for r in results if r.share == share) for share, _ in last}
    shown = set()
    for (share, remedies), end in last.items():
        early = stopped[share, remedies]
        loss = f"{early.validation_loss:.3f}"
        table.add_row(
            "" if share in shown else f"{share:.0%}",
            remedies,
            f"{end.validation_loss:.3f}",
            f"{end.gap:+.3f}",
            f"[bold]{loss}[/]" if early.validation_loss == lowest[share] else loss,
            f"{early.gap:+.3f}",
            str(early.step),
            end_section=remedies == "both",
        )
        shown.add(share)
    return table


def _labels_table(labels: dict[str, LabelsByShare]) -> Table:
    from perception.training.forecaster.tracks.image_pseudo_labels import REJECTION_REASONS

    table = Table(title="Tracks accepted as pseudo-labels, and why others were rejected", title_justify="left")
    table.add_column("video")
    for heading in ("seconds", "accepted", *REJECTION_REASONS):
        table.add_column(heading, justify="right")
    total: Counter[str] = Counter()
    for name, parts in labels.items():
        part = parts[1.0]
        row = {"seconds": round(part.seconds), "accepted": part.accepted, **part.rejected}
        total.update(row)
        table.add_row(name, *(str(value) for value in row.values()))
    table.add_section()
    table.add_row("all", *(str(value) for value in total.values()))
    return table


def _scaling_table(points: Sequence[ScalingPoint], *, digits: int) -> Table:
    from perception.training.experiments.data_scaling import SECONDS

    table = Table(title="Data scaling: unlabelled video", title_justify="left")
    table.add_column("minutes", justify="right")
    table.add_column("tracks", justify="right")
    for second in SECONDS:
        table.add_column(f"{second} s", justify="right")
    for point in points:
        pairs = zip(point.fde, point.ratios, strict=True)
        cells = ["–" if ratio is None else f"{fde:.{digits}f} ({ratio:.2f})" for fde, ratio in pairs]
        table.add_row(f"{point.minutes:.1f}", str(point.tracks), *cells)
    table.add_section()
    table.add_row("", "CV", *(f"{cv:.{digits}f}" for cv in points[0].cv))
    return table


def _ablation_table(results: Sequence[AblationResult]) -> Table:
    table = Table(
        title="Feature ablation", title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False
    )
    for heading in ("targets", "feature"):
        table.add_column(heading, no_wrap=True)
    for heading in ("minFDE", "±", "FDE", "CV", "over none"):
        table.add_column(heading, justify="right", no_wrap=True)
    shown: set[str] = set()
    for result in results:
        if shown and result.group not in shown:
            table.add_section()
        heading = "" if result.group in shown else result.group
        shown.add(result.group)
        ratio, interval = result.against_none.ratio, result.against_none.ratio_interval
        is_compared = result.feature != "none" and ratio is not None and interval is not None
        over = f"{ratio:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]" if is_compared and interval else ""
        spread = max(result.by_seed_m) - min(result.by_seed_m)
        table.add_row(
            heading,
            result.feature,
            f"{result.min_fde_m:.2f}",
            f"{spread / 2:.2f}",
            f"{result.fde_m:.2f}",
            f"{result.constant_velocity_m:.1f}",
            over,
        )
    return table
