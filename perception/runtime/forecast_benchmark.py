"""The forecaster on a public benchmark, baselines beside it: what ``perception evaluate forecaster`` runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perception.benchmarks import BENCHMARKS, Benchmark, FoldScores, read_references, score
from perception.benchmarks.split import Errors
from perception.errors import UsageError, counted
from perception.files import sha256, write_json
from perception.forecasting import BUNDLED_NAMES, TrajectoryGRU, read_gru
from perception.forecasting.registry import CONSTANT_VELOCITY, read_origin
from perception.pipeline.config import EvaluateConfig
from perception.results import next_run_folder, output_folder
from perception.runtime.run_metadata import REPORT_FILE, RUNS
from perception.weights import WEIGHTS_SUFFIX, bundled_folder


@dataclass(frozen=True)
class BenchmarkReport:
    """The scores of each fold; ``weights_sha256`` of each weights file that was scored."""

    benchmark: Benchmark
    split: str
    interactions: bool
    folds: tuple[FoldScores, ...]
    weights_sha256: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``report.json``."""
        return {
            "benchmark": self.benchmark.name,
            "split": self.split,
            "interactions": self.interactions,
            "weights_sha256": dict(self.weights_sha256),
            "folds": [fold.to_json() for fold in self.folds],
        }

    def write(self, output: Path | None) -> Path:
        """Write ``report.json`` into ``output``, or a new folder below ``runs/``; return the folder."""
        name = f"{self.benchmark.name}-{self.split}"
        folder = next_run_folder(RUNS / "evaluate", name) if output is None else output_folder(output)
        write_json(folder / REPORT_FILE, self.to_json())
        return folder


@dataclass(frozen=True)
class Trained:
    """One training: its network, the fold that it has not seen ("" where there are none), its file."""

    model: TrajectoryGRU
    fold: str
    path: Path


def run_benchmark(config: EvaluateConfig, *, on_fold: Callable[[str], None] | None = None) -> BenchmarkReport:
    """Score the forecaster of ``config`` by its benchmark's protocol. Raises ``UsageError``.

    ``on_fold`` is called before each fold with what is scored next.
    """
    assert config.benchmark is not None
    benchmark = BENCHMARKS[config.benchmark]
    if config.data is None:
        raise UsageError("give its tracks, a .npz file, as `data`.", field="benchmark", value=benchmark.name)
    if config.forecaster == CONSTANT_VELOCITY:
        raise UsageError(
            "it stands beside the model anyway; give auto, weights, or their folder.",
            field="forecaster",
            value=CONSTANT_VELOCITY,
        )
    trained = _trained(config.forecaster, benchmark)
    references = _references(config, benchmark)
    rng, scores = np.random.default_rng(config.seed), []
    for fold in sorted({one.fold for one in trained}, key=benchmark.folds.index):
        models = [one.model for one in trained if one.fold == fold]
        if on_fold is not None:
            on_fold(f"{benchmark.title} {fold}: {counted(len(models), 'training')}")
        split = benchmark.targets(config.data, config.split, fold)
        if not len(split):
            raise UsageError(f"{config.data}: has no target in the {config.split} split; choose another `split`.")
        scores.append(
            score(benchmark, split, models, fold=fold, neighbours=config.interactions, rng=rng, references=references)
        )
    return BenchmarkReport(
        benchmark=benchmark,
        split=config.split,
        interactions=config.interactions,
        folds=tuple(scores),
        weights_sha256={str(one.path): sha256(one.path) for one in trained},
    )


def _references(config: EvaluateConfig, benchmark: Benchmark) -> Mapping[str, Errors] | None:
    if config.references is None:
        return None
    if benchmark.name != "jaad" or config.split != "test":
        raise UsageError("they are errors on JAAD's test split; leave them out for others.", field="references")
    return read_references(config.references)


def _trained(name: str, benchmark: Benchmark) -> list[Trained]:
    """``name`` is auto, a weights file, or a folder below which each weights file is one training."""
    if name == "auto":
        paths = [bundled_folder() / f"{BUNDLED_NAMES[benchmark.reference_frame]}{WEIGHTS_SUFFIX}"]
    elif Path(name).is_dir():
        paths = sorted(Path(name).rglob(f"*{WEIGHTS_SUFFIX}"))
        if not paths:
            raise UsageError(f"{name}: holds no {WEIGHTS_SUFFIX} file; name a folder of trainings.")
    else:
        paths = [Path(name)]
    found = []
    for path in paths:
        model, origin = read_gru(path), read_origin(path)
        frame, horizon_s = model.config.reference_frame, model.config.horizon_s
        if frame != benchmark.reference_frame:
            raise UsageError(
                f"{path}: forecasts in the {frame} frame, but {benchmark.name} is in the "
                f"{benchmark.reference_frame} frame; give weights that were trained there."
            )
        if horizon_s < benchmark.horizon_s - 1e-6:
            raise UsageError(
                f"{path}: forecasts {horizon_s:g} s ahead, but {benchmark.name} needs {benchmark.horizon_s:g} s."
            )
        folds = (origin.get("fold", ""),) if origin.get("benchmark") == benchmark.name else benchmark.folds
        if any(fold not in benchmark.folds for fold in folds):
            raise UsageError(f"{path}: was trained for the fold {folds[0]!r}, which {benchmark.name} does not have.")
        found += [Trained(model, fold, path) for fold in folds]
    _check_once(found)
    return found


def _check_once(trained: Sequence[Trained]) -> None:
    """Raises ``UsageError`` where one training would count twice, or networks of several kinds as one's seeds."""
    hashes: dict[tuple[str, str], Path] = {}
    for one in trained:
        first = hashes.setdefault((one.fold, sha256(one.path)), one.path)
        if first is not one.path:
            raise UsageError(f"{one.path}: is a duplicate of {first}; remove one of them.")
    kinds = {one.model.config: one.path for one in trained}
    if len(kinds) > 1:
        first, second, *_ = kinds.values()
        raise UsageError(
            f"{first} and {second}: are networks of different kinds, not seeds of one; evaluate them separately."
        )
