"""Latency and throughput of the pipeline, their scaling with cameras and objects, and the machine's roofline."""

from perception.profiling.camera_scaling import CameraRing
from perception.profiling.engines import Contender, EngineTiming, measure_engines
from perception.profiling.plot import draw_scaling
from perception.profiling.roofline import Roofline, Work, measure_roofline, work_of
from perception.profiling.scaling import Load, Scaling, measure_interleaved, measure_scaling
from perception.profiling.stages import StagedDetector
from perception.profiling.synthetic_tracks import SyntheticTracks
from perception.profiling.tables import print_end_to_end, print_engines, print_scaling

__all__ = [
    "CameraRing",
    "Contender",
    "EngineTiming",
    "Load",
    "Roofline",
    "Scaling",
    "StagedDetector",
    "SyntheticTracks",
    "Work",
    "draw_scaling",
    "measure_engines",
    "measure_interleaved",
    "measure_roofline",
    "measure_scaling",
    "print_end_to_end",
    "print_engines",
    "print_scaling",
    "work_of",
]
