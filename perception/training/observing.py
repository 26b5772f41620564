"""Recordings seen through our own detector and tracker: the inputs that the forecaster will really get."""

from __future__ import annotations

from pathlib import Path

from perception.errors import UsageError
from perception.sources import open_source, read_truth
from perception.tracking import ImageTracker
from perception.training.forecast_data import TrackSet, from_recording
from perception.types import Detections, Detector, Tracks


def observe_recording(path: Path, detector: Detector, *, strides: tuple[int, ...] = (1,)) -> list[TrackSet]:
    """Track a recording with ground truth at every ``stride``-th frame, from each of the ``stride`` first frames.

    So one recording of 10 frames per second also teaches what 5 per second look like. The detector runs once.
    """
    truth = read_truth(path)
    if truth is None:
        raise UsageError(f"{path}: has no ground truth to learn from.")
    instants: list[tuple[int, int, list[Detections]]] = []
    sizes = set()
    for frame_set in open_source([str(path)]):
        if len(frame_set) != 1:
            raise UsageError(f"{path}: has several cameras; the image forecaster learns from one at a time.")
        instants.append((frame_set.index, frame_set.timestamp_ns, detector.detect(frame_set.frames)))
        sizes.add(frame_set.frames[0].size_px)
    if len(sizes) != 1:
        raise UsageError(f"{path}: its pictures have several sizes: {sorted(sizes)}.")
    times_s = {index: timestamp * 1e-9 for index, timestamp, _ in instants}
    sets = []
    for stride in strides:
        for offset in range(stride):
            tracker = ImageTracker()
            observed: list[tuple[float, Tracks]] = [
                (times_s[index], tracker.update(detections, timestamp))
                for index, timestamp, detections in instants[offset::stride]
            ]
            sets.append(from_recording(truth, times_s, next(iter(sizes)), observed))
    return sets
