"""Public forecasting benchmarks by their own protocols: data, targets, errors, baselines, what others reached."""

from perception.benchmarks.ethucy import ETHUCY
from perception.benchmarks.jaad import JAAD
from perception.benchmarks.kitti import KITTI
from perception.benchmarks.nuscenes import NUSCENES
from perception.benchmarks.prediction import constant_velocity, kalman, predict
from perception.benchmarks.references import read_references
from perception.benchmarks.scoring import FoldScores, score
from perception.benchmarks.split import Benchmark, Predicted, Split

BENCHMARKS = {benchmark.name: benchmark for benchmark in (JAAD, NUSCENES, ETHUCY, KITTI)}

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "FoldScores",
    "Predicted",
    "Split",
    "constant_velocity",
    "kalman",
    "predict",
    "read_references",
    "score",
]
