"""Learning without labels on the ground: where our own tracker saw an object later, in metres, is its future."""

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
from perception.training.forecaster.data.dataset_ground import from_drive
from perception.training.forecaster.data.pseudo_labels_image import REASONS, Gate, SelfLabelled, seen_enough
from perception.types import Detections, ObjectTable, Tracks


@dataclass(frozen=True)
class WatchedDrive:
    """What the detector saw at each instant (``timestamp_ns``, one ``Detections`` per camera, the car's pose), and the
    settings of the tracker that suit it."""

    rig: Rig
    settings: GroundSettings
    instants: list[tuple[int, list[Detections], FloatArray]]


def watch_drive(path: Path, detector: Detector, on_instant: Callable[[], None] = lambda: None) -> WatchedDrive:
    """Every instant of a calibrated recording; ground truth, where there is some, is not opened.

    Raises ``UsageError`` where calibration or poses are missing.
    """
    source = open_source([str(path)])
    if source.rig is None:
        raise UsageError(f"{path}: is not calibrated; the ground forecaster learns from calibrated cameras only.")
    instants = []
    for frame_set in source:
        if frame_set.world_from_vehicle is None:
            raise UsageError(f"{path}: has instants without a pose; the ground forecaster needs poses.csv.")
        instants.append((frame_set.timestamp_ns, detector.detect(frame_set.frames), frame_set.world_from_vehicle))
        on_instant()
    return WatchedDrive(source.rig, GroundSettings.for_detector(detector), instants)


def label_drive(drive: WatchedDrive, gate: Gate, *, share: float = 1.0) -> SelfLabelled:
    """Track the first ``share`` of a drive, and take from the tracks that pass the gate both past and future."""
    instants = drive.instants[: max(1, round(share * len(drive.instants)))]
    tracker = GroundTracker(drive.rig, drive.settings)
    observed = [(now_ns, tracker.update(found, now_ns, pose), pose) for now_ns, found, pose in instants]
    everything = [(now_ns, tracks) for now_ns, tracks, _ in observed]
    kept, dropped = [], Counter[str]()
    for track_id in np.unique(np.concatenate([tracks.ids for _, tracks in everything])):
        reason = _doubt(
            [(t, tracks[tracks.ids == track_id]) for t, tracks in everything if track_id in tracks.ids], gate
        )
        if reason is None:
            kept.append(track_id)
        else:
            dropped[reason] += 1
    seconds = (instants[-1][0] - instants[0][0]) * 1e-9
    counts = {reason: dropped[reason] for reason in REASONS}
    if not kept:
        return SelfLabelled(None, 0, counts, seconds)
    pasts = [(now_ns, tracks[np.isin(tracks.ids, kept)], pose) for now_ns, tracks, pose in observed]
    return SelfLabelled(from_drive(tracks_as_objects(pasts), pasts, same_ids=True), len(kept), counts, seconds)


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


def _doubt(mine: Sequence[tuple[int, Tracks]], gate: Gate) -> str | None:
    """Why one track, given at its instants, may not teach; None where it may."""
    seen, reason = seen_enough(mine, gate)
    if reason is not None:
        return reason
    times_s = np.array([now_ns for now_ns, _ in seen]) * 1e-9
    positions = np.concatenate([tracks.positions for _, tracks in seen])
    velocities = np.concatenate([tracks.velocities for _, tracks in seen])
    expected = positions[:-1] + velocities[:-1] * np.diff(times_s)[:, None]
    jumps_m = np.linalg.norm(positions[1:] - expected, axis=1)
    return "jumping" if jumps_m.max(initial=0.0) > gate.max_jump_m else None
