"""Pictures of a simulated town from every camera of a car, and exactly how much of each road user they show."""

from perception.simulation.rendering.look import Look
from perception.simulation.rendering.parallel import ParallelRenderer, sensible_processes
from perception.simulation.rendering.renderer import Renderer

__all__ = ["Look", "ParallelRenderer", "Renderer", "sensible_processes"]
