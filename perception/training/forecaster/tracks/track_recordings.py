"""Recordings tracked by our own detector and tracker: the inputs that the forecaster will really get."""

from __future__ import annotations

from pathlib import Path

from perception.errors import UsageError
from perception.forecasting.track_dataset import TrackSet
from perception.protocols import Detector, EgoMotionEstimator
from perception.sources import open_source, read_objects, read_truth
from perception.tracking import GroundTracker, ImageTracker, TrackerSettings
from perception.training.forecaster.tracks.ground_pseudo_labels import detect_drive
from perception.training.forecaster.tracks.ground_tracks import from_drive
from perception.training.forecaster.tracks.image_tracks import (
    CameraPath,
    ObservedImage,
    from_recording,
    joined_motion,
    tracks_as_truth,
)
from perception.types import BoxTable, Detections, EgoMotion

PSEUDO_LABEL_SCORE = 0.4
"""Where there is no ground truth, our own tracks are the truth from this score on."""


def track_recording(
    path: Path, detector: Detector, *, strides: tuple[int, ...] = (1,), ego_motion: EgoMotionEstimator | None = None
) -> list[TrackSet]:
    """Track a recording at every ``stride``-th frame, from each of the ``stride`` first frames.

    So one recording of 10 frames per second also teaches what 5 per second look like. The detector runs once. Without
    ground truth the recording labels itself: where our tracker saw an object later is the object's future. How the
    camera turns, as ``ego_motion`` finds it, is taken out of the futures.
    """
    instants: list[tuple[int, int, list[Detections]]] = []
    motions: list[EgoMotion | None] = []
    sizes = set()
    for frame_set in open_source([str(path)]):
        if len(frame_set) != 1:
            raise UsageError(f"{path}: has several cameras; the image forecaster is trained on one at a time.")
        detections = detector.detect(frame_set.frames)
        instants.append((frame_set.index, frame_set.timestamp_ns, detections))
        by_camera = {found.camera: found for found in detections}
        motions.append(
            None if ego_motion is None else next(iter(ego_motion.update(frame_set, by_camera).values()), None)
        )
        sizes.add(frame_set.frames[0].size_px)
    if len(sizes) != 1:
        raise UsageError(f"{path}: its pictures have several sizes: {sorted(sizes)}.")
    times_s = {index: timestamp * 1e-9 for index, timestamp, _ in instants}
    settings = TrackerSettings.for_detector(detector)
    truth = read_truth(path) or _pseudo_truth(instants, settings)
    camera_path = CameraPath.of(list(times_s.values()), motions)
    camera = instants[0][2][0].camera
    sets = []
    for stride in strides:
        for offset in range(stride):
            tracker = ImageTracker(settings)
            observed = []
            for number in range(offset, len(instants), stride):
                index, timestamp, detections = instants[number]
                ego = joined_motion(motions[max(number - stride + 1, 0) : number + 1]) if camera_path else None
                ego_motions = {} if ego is None else {camera: ego}
                tracks = tracker.update(detections, timestamp, None, ego_motions)
                observed.append(ObservedImage(times_s[index], tracks, ego_motions))
            sets.append(from_recording(truth, times_s, next(iter(sizes)), observed, path=camera_path))
    return sets


def track_drive(path: Path, detector: Detector, *, strides: tuple[int, ...] = (1,)) -> list[TrackSet]:
    """Track a drive of calibrated cameras on the ground, as ``track_recording`` does in the image.

    Its pose and its true objects must be known. Raises ``UsageError`` naming what is missing.
    """
    drive = detect_drive(path, detector)
    objects = read_objects(path)
    if objects is None or not drive.instants:
        raise UsageError(f"{path}: has no true objects in the world (objects3d.csv), which are the training targets.")
    sets = []
    for stride in strides:
        for offset in range(stride):
            tracker = GroundTracker(drive.rig, drive.settings)
            observed = [
                (now_ns, tracker.update(detections, now_ns, pose), pose)
                for now_ns, detections, pose in drive.instants[offset::stride]
            ]
            sets.append(from_drive(objects, observed))
    return sets


def _pseudo_truth(instants: list[tuple[int, int, list[Detections]]], settings: TrackerSettings) -> BoxTable:
    """The tracks of our tracker where it confidently detected its object, taken as ground truth."""
    tracker = ImageTracker(settings)
    seen = []
    for index, timestamp, detections in instants:
        tracks = tracker.update(detections, timestamp)
        seen.append((index, tracks[(tracks.unseen_s == 0) & (tracks.scores >= PSEUDO_LABEL_SCORE)]))
    return tracks_as_truth(seen)
