"""How fast the pipeline is, how that grows with cameras and objects, and what the machine could do."""

from perception.bench.cameras import CameraRing
from perception.bench.ceiling import Ceiling, Work, measure_ceiling, work_of
from perception.bench.crowd import Crowd
from perception.bench.engines import Contender, Measured, measure_engines
from perception.bench.growth import Growth, Load, measure_growth, measure_in_turns
from perception.bench.plot import draw_growths
from perception.bench.printing import print_engines, print_growth, print_whole_way
from perception.bench.stages import StagedDetector

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
