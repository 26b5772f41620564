"""``perception evaluate --benchmark``: the forecaster on a public benchmark, constant velocity beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from rich.console import Console
from rich.table import Table

from perception.errors import UsageError
from perception.files import sha256, write_json

Split = Literal["train", "val", "test"]

_FIGURES = {
    "mse_0_5_s": "MSE 0.5 s",
    "mse_1_0_s": "MSE 1.0 s",
    "mse_1_5_s": "MSE 1.5 s",
    "centre_mse": "C_MSE",
    "final_centre_mse": "CF_MSE",
}


def run_benchmark(name: str, *, data: Path | None, forecaster: str, split: str, seed: int, output: Path | None) -> None:
    """Print the table, write ``report.json``, print its folder last. Raises ``UsageError`` for a wrong option."""
    from perception.evaluation.benchmarks import jaad_report
    from perception.forecasting import read_gru
    from perception.forecasting.jaad import read_jaad
    from perception.forecasting.opening import BUNDLED_NAME
    from perception.outputs import next_run_folder, output_folder
    from perception.weights import WEIGHTS_SUFFIX, bundled_folder

    if name != "jaad":
        raise UsageError(f"--benchmark {name}: not known; give jaad.")
    if data is None:
        raise UsageError("--benchmark jaad: give its tracks with --data FILE.npz.")
    if split not in ("train", "val", "test"):
        raise UsageError(f"--split {split}: give train, val or test.")
    weights = bundled_folder() / f"{BUNDLED_NAME}{WEIGHTS_SUFFIX}" if forecaster == "auto" else Path(forecaster)
    model, tracks = read_gru(weights), read_jaad(data, split)  # type: ignore[arg-type]
    console = Console()
    with console.status(f"JAAD {split}: {len(tracks.videos)} tracks"):
        report = jaad_report(model, tracks, rng=np.random.default_rng(seed))
    table = Table(title=f"JAAD {split}, one output, observed boxes alone", title_justify="left")
    table.add_column("squared pixels")
    for heading in ("TrajectoryGRU", "constant velocity", "ratio", "95 % interval"):
        table.add_column(heading, justify="right")
    for key, label in _FIGURES.items():
        low, high = report.ratio_interval[key]
        table.add_row(
            label,
            f"{report.model[key]:.0f}",
            f"{report.constant_velocity[key]:.0f}",
            f"{report.ratio[key]:.3f}",
            f"{low:.3f} .. {high:.3f}",
        )
    console.print(table)
    console.print(
        f"{report.windows} windows of {report.videos} videos, 15 boxes seen, 45 predicted at 30 per second; "
        "constant velocity is the published Kalman filter; intervals by bootstrap over videos.",
        style="dim",
    )
    folder = output_folder(output) if output is not None else next_run_folder(Path("runs"), "evaluate", f"jaad-{split}")
    write_json(
        folder / "report.json",
        {"benchmark": name, "split": split, "weights_sha256": sha256(weights), **report.to_json()},
    )
    console.print(str(folder), highlight=False, soft_wrap=True)
