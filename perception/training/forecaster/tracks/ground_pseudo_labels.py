"""Pseudo-labels on the ground: where our own tracker saw an object later, in metres, is its future."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from perception.arrays import FloatArray
from perception.errors import UsageError
from perception.geometry.cameras import Rig
from perception.protocols import Detector
from perception.sources import open_source
from perception.taxonomy import USUAL_SIZES_LWH_M
from perception.tracking import GroundSettings, GroundTracker
from perception.training.forecaster.tracks.ground_tracks import from_drive
from perception.training.forecaster.tracks.image_pseudo_labels import (
    REJECTION_REASONS,
    PseudoLabels,
    TrackFilter,
    seen_enough,
)
from perception.types import Detections, ObjectTable, Tracks


@dataclass(frozen=True)
class DetectedDrive:
    """What the detector found at each instant (``timestamp_ns``, one ``Detections`` per camera, the car's pose), and
    the settings of the tracker that suit it."""

    rig: Rig
    settings: GroundSettings
    instants: list[tuple[int, list[Detections], FloatArray]]


def detect_drive(path: Path, detector: Detector, on_instant: Callable[[], None] = lambda: None) -> DetectedDrive:
    """Every instant of a calibrated recording; ground truth, where there is some, is not opened.

    Raises ``UsageError`` where calibration or poses are missing.
    """
    source = open_source([str(path)])
    if source.rig is None:
        raise UsageError(f"{path}: is not calibrated; the ground forecaster is trained on calibrated cameras only.")
    instants = []
    for frame_set in source:
        if frame_set.world_from_vehicle is None:
            raise UsageError(f"{path}: has instants without a pose; the ground forecaster needs poses.csv.")
        instants.append((frame_set.timestamp_ns, detector.detect(frame_set.frames), frame_set.world_from_vehicle))
        on_instant()
    return DetectedDrive(source.rig, GroundSettings.for_detector(detector), instants)


def pseudo_label_drive(drive: DetectedDrive, track_filter: TrackFilter, *, share: float = 1.0) -> PseudoLabels:
    """Track the first ``share`` of a drive, and take from the tracks that pass the filter both history and future."""
    instants = drive.instants[: max(1, round(share * len(drive.instants)))]
    tracker = GroundTracker(drive.rig, drive.settings)
    observed = [(now_ns, tracker.update(found, now_ns, pose), pose) for now_ns, found, pose in instants]
    everything = [(now_ns, tracks) for now_ns, tracks, _ in observed]
    accepted, rejected = [], Counter[str]()
    for track_id in np.unique(np.concatenate([tracks.ids for _, tracks in everything])):
        reason = _rejection_reason(
            [(t, tracks[tracks.ids == track_id]) for t, tracks in everything if track_id in tracks.ids], track_filter
        )
        if reason is None:
            accepted.append(track_id)
        else:
            rejected[reason] += 1
    seconds = (instants[-1][0] - instants[0][0]) * 1e-9
    counts = {reason: rejected[reason] for reason in REJECTION_REASONS}
    if not accepted:
        return PseudoLabels(None, 0, counts, seconds)
    histories = [(now_ns, tracks[np.isin(tracks.ids, accepted)], pose) for now_ns, tracks, pose in observed]
    return PseudoLabels(
        from_drive(tracks_as_objects(histories), histories, same_ids=True), len(accepted), counts, seconds
    )


def tracks_as_objects(observed: Sequence[tuple[int, Tracks, FloatArray]]) -> ObjectTable:
    """Tracks of the ground frame, where they were seen, as if they were true objects."""
    seen = [(now_ns, tracks[tracks.unseen_s == 0]) for now_ns, tracks, _ in observed]
    tracks = [part for _, part in seen]
    labels = np.concatenate([part.labels for part in tracks])
    sizes = np.array(USUAL_SIZES_LWH_M)[labels]
    return ObjectTable(
        timestamps_ns=np.concatenate([np.full(len(part), now_ns) for now_ns, part in seen]),
        ids=np.concatenate([part.ids for part in tracks]),
        labels=labels,
        scores=np.concatenate([part.scores for part in tracks]),
        centres_m=np.column_stack([np.concatenate([part.positions for part in tracks]), sizes[:, 2] / 2]),
        sizes_lwh_m=sizes,
        yaws_rad=np.concatenate([part.directions_rad for part in tracks]),
        speeds_mps=np.concatenate([part.speeds_mps for part in tracks]),
    )


def _rejection_reason(rows: Sequence[tuple[int, Tracks]], track_filter: TrackFilter) -> str | None:
    """Why one track, given at its instants, becomes no pseudo-label; None where it does."""
    seen, reason = seen_enough(rows, track_filter)
    if reason is not None:
        return reason
    times_s = np.array([now_ns for now_ns, _ in seen]) * 1e-9
    positions = np.concatenate([tracks.positions for _, tracks in seen])
    velocities = np.concatenate([tracks.velocities for _, tracks in seen])
    expected = positions[:-1] + velocities[:-1] * np.diff(times_s)[:, None]
    jumps_m = np.linalg.norm(positions[1:] - expected, axis=1)
    return "discontinuous" if jumps_m.max(initial=0.0) > track_filter.max_jump_m else None
