"""Pictures of a simulated town from every camera of a car, and exactly how much of each road user they show."""

from perception.simulation.rendering.conditions import Conditions
from perception.simulation.rendering.parallel import ParallelRenderer, sensible_processes

__all__ = ["Conditions", "ParallelRenderer", "sensible_processes"]
