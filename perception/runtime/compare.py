"""Compares finished runs: reads their folders and the ground truth of what they ran on; prints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from perception.errors import UsageError
from perception.evaluation.comparison.paired import Comparison, compare_runs
from perception.evaluation.comparison.units import make_units
from perception.evaluation.report.count import EvalConfig
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.files import write_json
from perception.results import next_run_folder, output_folder
from perception.results.writer import FORECASTS_FILE
from perception.runtime.evaluate import read_finished_run
from perception.runtime.run_metadata import RUNS, need_run_source

COMPARE_FILE = "compare.json"


def compare_folders(
    folders: Sequence[Path],
    *,
    eval_config: EvalConfig,
    truth: Path | None = None,
    segment_s: float = 5.0,
    image_count: int = 10,
    seed: int = 0,
) -> Comparison:
    """Each of ``folders`` against the first: one finished run, or a folder that holds some, each over a recording.

    ``truth`` is the recording of all runs, where they do not state it. One recording is cut into segments of
    ``segment_s``. Raises ``UsageError`` for fewer than two folders, one without a run, and runs that share nothing.
    """
    if len(folders) < 2:
        raise UsageError("give two runs or more.", field="runs")
    runs = [_runs_in(folder, truth, eval_config) for folder in folders]
    units = make_units(runs, segment_s=segment_s)
    return compare_runs(
        [str(folder) for folder in folders],
        units,
        config=eval_config,
        rng=np.random.default_rng(seed),
        image_count=image_count,
    )


def write_comparison(comparison: Comparison, output: Path | None) -> Path:
    """Write ``compare.json`` into ``output``, or a new folder below ``runs/``; return the folder."""
    name = "-".join(Path(run.run).name for run in comparison.runs)
    folder = next_run_folder(RUNS / "compare", name) if output is None else output_folder(output)
    write_json(folder / COMPARE_FILE, comparison.to_json())
    return folder


def _runs_in(folder: Path, truth: Path | None, eval_config: EvalConfig) -> dict[str, EvaluatedRun]:
    """By recording; ``folder`` is a run, or holds runs."""
    found = [folder / FORECASTS_FILE] if (folder / FORECASTS_FILE).is_file() else folder.glob(f"*/{FORECASTS_FILE}")
    paths = sorted(file.parent for file in found)
    if not paths:
        raise UsageError(f"{folder}: holds no finished run; name the folder of a run that was saved.")
    runs: dict[str, EvaluatedRun] = {}
    for path in paths:
        recording = need_run_source(path, truth)
        name = str(Path(recording).resolve())
        if name in runs:
            raise UsageError(f"{path}: is a second run over {recording}; leave one of them out.")
        runs[name] = read_finished_run(path, eval_config=eval_config, truth=recording).run
    return runs
