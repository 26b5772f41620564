"""Public forecasting benchmarks by their own protocols: data, targets, errors, baselines, what others reached."""

from perception.benchmarks.baselines import BASELINES, constant_velocity, kalman, recent_velocity, stays
from perception.benchmarks.ethucy import ETHUCY
from perception.benchmarks.jaad import JAAD
from perception.benchmarks.kitti import KITTI
from perception.benchmarks.kitti_image import KITTI_IMAGE
from perception.benchmarks.nuscenes import NUSCENES
from perception.benchmarks.prediction import predict
from perception.benchmarks.references import read_references
from perception.benchmarks.scoring import FoldScores, score
from perception.benchmarks.split import Benchmark, Predicted, Split

BENCHMARKS = {benchmark.name: benchmark for benchmark in (JAAD, NUSCENES, ETHUCY, KITTI, KITTI_IMAGE)}

__all__ = [
    "BASELINES",
    "BENCHMARKS",
    "Benchmark",
    "FoldScores",
    "Predicted",
    "Split",
    "constant_velocity",
    "kalman",
    "predict",
    "read_references",
    "recent_velocity",
    "score",
    "stays",
]
