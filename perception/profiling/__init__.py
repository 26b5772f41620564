"""How fast the pipeline is, how that grows with cameras and objects, and what the machine could do."""

from perception.profiling.camera_scaling import CameraRing
from perception.profiling.engines import Contender, Measured, measure_engines
from perception.profiling.plot import draw_growths
from perception.profiling.roofline import Ceiling, Work, measure_ceiling, work_of
from perception.profiling.scaling import Growth, Load, measure_growth, measure_in_turns
from perception.profiling.stages import StagedDetector
from perception.profiling.synthetic_tracks import Crowd
from perception.profiling.tables import print_engines, print_growth, print_whole_way

__all__ = [
    "CameraRing",
    "Ceiling",
    "Contender",
    "Crowd",
    "Growth",
    "Load",
    "Measured",
    "StagedDetector",
    "Work",
    "draw_growths",
    "measure_ceiling",
    "measure_engines",
    "measure_growth",
    "measure_in_turns",
    "print_engines",
    "print_growth",
    "print_whole_way",
    "work_of",
]
