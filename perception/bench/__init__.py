"""How fast the pipeline is, and how that grows with the number of cameras and of objects."""

from perception.bench.cameras import CameraRing
from perception.bench.crowd import Crowd
from perception.bench.growth import Growth, Load, measure_growth
from perception.bench.plot import draw_growths
from perception.bench.printing import print_growth

__all__ = ["CameraRing", "Crowd", "Growth", "Load", "draw_growths", "measure_growth", "print_growth"]
