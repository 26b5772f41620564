"""Drives of one's own: traffic, pictures of it from every camera of a car, and the truth about both."""

from perception.simulation.drive import Drive, DriveSettings, SimulatedInstant
from perception.simulation.recorder import DriveRecorder
from perception.simulation.rendering import sensible_processes

__all__ = ["Drive", "DriveRecorder", "DriveSettings", "SimulatedInstant", "sensible_processes"]
