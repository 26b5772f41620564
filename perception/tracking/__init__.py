"""Identity over time: detections of several cameras become tracks."""

from perception.tracking.ground.settings import GroundSettings
from perception.tracking.ground.tracker import GroundTracker
from perception.tracking.image.box_filter import MotionNoise
from perception.tracking.image.settings import TrackerSettings
from perception.tracking.image.tracker import ImageTracker
from perception.tracking.registry import OpenedTracker, open_tracker
from perception.types import TrackerCounts

__all__ = [
    "GroundSettings",
    "GroundTracker",
    "ImageTracker",
    "MotionNoise",
    "OpenedTracker",
    "TrackerCounts",
    "TrackerSettings",
    "open_tracker",
]
