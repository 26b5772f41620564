"""``perception evaluate --benchmark``: the forecaster on a public benchmark, constant velocity beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from perception.config import EvaluateConfig
from perception.errors import UsageError
from perception.evaluation.benchmarks import jaad_report
from perception.files import sha256, write_json
from perception.forecasting import read_gru
from perception.forecasting.jaad import read_jaad
from perception.forecasting.opening import BUNDLED_NAME, CONSTANT_VELOCITY
from perception.outputs import next_run_folder, output_folder
from perception.weights import WEIGHTS_SUFFIX, bundled_folder

_FIGURES = {
    "mse_0_5_s": "MSE 0.5 s",
    "mse_1_0_s": "MSE 1.0 s",
    "mse_1_5_s": "MSE 1.5 s",
    "centre_mse": "C_MSE",
    "final_centre_mse": "CF_MSE",
}


def run_benchmark(config: EvaluateConfig) -> None:
    """Print the table, write ``report.json``, print its folder last. Raises ``UsageError`` for a wrong option."""
    if config.data is None:
        raise UsageError(f"--benchmark {config.benchmark}: give its tracks with --data FILE.npz.")
    if config.forecaster == CONSTANT_VELOCITY:
        raise UsageError(
            f"--forecaster {CONSTANT_VELOCITY}: stands beside the model anyway; give auto or a weights file."
        )
    bundled = bundled_folder() / f"{BUNDLED_NAME}{WEIGHTS_SUFFIX}"
    weights = bundled if config.forecaster == "auto" else Path(config.forecaster)
    model, tracks = read_gru(weights), read_jaad(config.data, config.split)
    console = Console()
    with console.status(f"JAAD {config.split}: {len(tracks.videos)} tracks"):
        report = jaad_report(model, tracks, rng=np.random.default_rng(config.seed))
    table = Table(title=f"JAAD {config.split}, one output, observed boxes alone", title_justify="left")
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
    folder = (
        output_folder(config.output)
        if config.output is not None
        else next_run_folder(Path("runs"), "evaluate", f"jaad-{config.split}")
    )
    write_json(
        folder / "report.json",
        {"benchmark": config.benchmark, "split": config.split, "weights_sha256": sha256(weights), **report.to_json()},
    )
    console.print(str(folder), highlight=False, soft_wrap=True)
