"""Identity over time: detections of several cameras become tracks."""

from perception.tracking.ground_settings import GroundSettings
from perception.tracking.ground_tracker import GroundTracker
from perception.tracking.kalman import MotionNoise
from perception.tracking.settings import TrackerSettings
from perception.tracking.tracker import ImageTracker, TrackerCounts

__all__ = ["GroundSettings", "GroundTracker", "ImageTracker", "MotionNoise", "TrackerCounts", "TrackerSettings"]
