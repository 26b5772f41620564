"""Drives of one's own: traffic, pictures of it from every camera of a car, and the truth about both."""

from perception.simulation.drive import Drive, DriveSettings, Instant
from perception.simulation.recorder import DriveRecorder

__all__ = ["Drive", "DriveRecorder", "DriveSettings", "Instant"]
