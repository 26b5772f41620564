"""Identity over time: detections of several cameras become tracks."""

from perception.tracking.kalman import MotionNoise
from perception.tracking.settings import TrackerSettings
from perception.tracking.tracker import ImageTracker, TrackerCounts

__all__ = ["ImageTracker", "MotionNoise", "TrackerCounts", "TrackerSettings"]
