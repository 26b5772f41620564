"""Pseudo-labels in the image: where our own tracker saw an object later is the object's future.

Wrong tracks would teach wrong futures, so a filter rejects doubtful ones, and counts why. What remains are the tracks
of a confident detector, seen nearly always, long enough to have a future, and smooth enough to be one object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from perception.arrays import FloatArray
from perception.errors import UsageError
from perception.forecasting.track_dataset import TrackSet
from perception.geometry.boxes import box_centres, box_sizes
from perception.protocols import Detector
from perception.sources import open_source
from perception.sources.files.recording import RECORDING_FILE
from perception.sources.files.video import VIDEO_SUFFIXES
from perception.tracking import ImageTracker, TrackerSettings
from perception.training.forecaster.tracks.image_tracks import ObservedImage, from_recording, tracks_as_truth
from perception.types import Detections, Tracks

REJECTION_REASONS = ("short", "low_score", "low_coverage", "discontinuous", "truncated")
"""Too short a track, too low a mean score, too few instants with a detection, positions that jump, boxes mostly cut by
the image border (in the image)."""


class TrackFilter(BaseModel):
    """Which tracks become pseudo-labels. A track is rejected for the first of the ``REJECTION_REASONS`` that holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_seen_s: float = Field(1.5, gt=0, description="between the first and the last detection")
    min_score: float = Field(0.4, ge=0, le=1, description="mean score of its detections")
    min_seen_share: float = Field(0.7, ge=0, le=1, description="instants with a detection, from the first to the last")
    max_jump: float = Field(
        1.0, gt=0, description="of the centre from one instant to the next, against its own motion, in box sizes"
    )
    max_jump_m: float = Field(2.0, gt=0, description="on the ground, of the position, against its own motion")
    max_cut_share: float = Field(0.5, ge=0, le=1, description="detections that touch the picture's border")


@dataclass(frozen=True)
class DetectedFrame:
    """One frame of one camera: its number, time, and what the detector found."""

    index: int
    timestamp_ns: int
    detections: Detections
    size_px: tuple[int, int]


@dataclass(frozen=True)
class PseudoLabels:
    """``tracks`` to train on, None where none is left; how many were ``accepted``, and ``rejected`` for which reason;
    ``seconds`` of video."""

    tracks: TrackSet | None
    accepted: int
    rejected: dict[str, int]
    seconds: float


def videos_below(folder: Path) -> list[Path]:
    """Video files and recordings of one camera in ``folder``, or itself. Raises ``UsageError`` when there is none."""
    if (folder / RECORDING_FILE).is_file() or folder.suffix.lower() in VIDEO_SUFFIXES:
        return [folder]
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder or video.")
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in VIDEO_SUFFIXES or (path.is_dir() and (path / RECORDING_FILE).is_file())
    )
    if not found:
        raise UsageError(f"{folder}: holds no video and no recording.")
    return found


def detect_video(
    path: Path, detector: Detector, on_frame: Callable[[], None] = lambda: None
) -> Iterator[DetectedFrame]:
    """What ``detector`` finds in each frame of a video; ground truth, where there is some, is not opened.

    Raises ``UsageError`` where a recording has several cameras.
    """
    for frame_set in open_source([str(path)]):
        if len(frame_set) != 1:
            raise UsageError(f"{path}: has several cameras; the image forecaster is trained on one at a time.")
        detections = detector.detect(frame_set.frames)[0]
        yield DetectedFrame(frame_set.index, frame_set.timestamp_ns, detections, frame_set.frames[0].size_px)
        on_frame()


def pseudo_label_video(
    instants: Sequence[DetectedFrame], track_filter: TrackFilter, settings: TrackerSettings | None = None
) -> PseudoLabels:
    """Track the frames of one video, and take from the tracks that pass the filter both history and future."""
    tracker = ImageTracker(settings)
    observed = [(instant, tracker.update([instant.detections], instant.timestamp_ns)) for instant in instants]
    rejected: Counter[str] = Counter()
    accepted = []
    for track_id in np.unique(np.concatenate([tracks.ids for _, tracks in observed] + [np.zeros(0, np.int64)])):
        reason = _rejection_reason(track_id, observed, track_filter)
        if reason is None:
            accepted.append(track_id)
        else:
            rejected[reason] += 1
    seconds = (instants[-1].timestamp_ns - instants[0].timestamp_ns) * 1e-9 if instants else 0.0
    counts = {reason: rejected[reason] for reason in REJECTION_REASONS}
    if not accepted:
        return PseudoLabels(None, 0, counts, seconds)
    seen = [(i.index, t[np.isin(t.ids, accepted) & (t.unseen_s == 0)]) for i, t in observed]
    times_s = {instant.index: instant.timestamp_ns * 1e-9 for instant in instants}
    histories = [
        ObservedImage(times_s[instant.index], tracks[np.isin(tracks.ids, accepted)]) for instant, tracks in observed
    ]
    tracks = from_recording(tracks_as_truth(seen), times_s, instants[0].size_px, histories, same_ids=True)
    return PseudoLabels(tracks, len(accepted), counts, seconds)


def _rejection_reason(
    track_id: int, observed: Sequence[tuple[DetectedFrame, Tracks]], track_filter: TrackFilter
) -> str | None:
    """Why a track becomes no pseudo-label; None where it does."""
    rows = [(instant, tracks[tracks.ids == track_id]) for instant, tracks in observed if track_id in tracks.ids]
    seen, reason = seen_enough([(instant.timestamp_ns, tracks) for instant, tracks in rows], track_filter)
    if reason is not None:
        return reason
    times_s = np.array([now_ns for now_ns, _ in seen]) * 1e-9
    boxes = np.concatenate([tracks.boxes_xyxy_px for _, tracks in seen])
    if _largest_jump(boxes, times_s) > track_filter.max_jump:
        return "discontinuous"
    width, height = rows[0][0].size_px
    is_cut = (boxes[:, :2] <= 1).any(axis=1) | (boxes[:, 2] >= width - 1) | (boxes[:, 3] >= height - 1)
    return "truncated" if is_cut.mean() > track_filter.max_cut_share else None


def seen_enough(
    rows: Sequence[tuple[int, Tracks]], track_filter: TrackFilter
) -> tuple[Sequence[tuple[int, Tracks]], str | None]:
    """Of one track, given at its times in nanoseconds, the instants with a detection; and why they are too few or
    of too low a score to train on, None where they are not."""
    is_seen = np.array([tracks.unseen_s[0] == 0 for _, tracks in rows])
    last = int(np.flatnonzero(is_seen)[-1]) if is_seen.any() else -1
    rows, is_seen = rows[: last + 1], is_seen[: last + 1]
    seen = [pair for pair, one in zip(rows, is_seen, strict=True) if one]
    if last < 0 or (rows[-1][0] - rows[0][0]) * 1e-9 < track_filter.min_seen_s:
        return seen, "short"
    if np.mean([tracks.scores[0] for _, tracks in seen]) < track_filter.min_score:
        return seen, "low_score"
    return seen, "low_coverage" if is_seen.mean() < track_filter.min_seen_share else None


def _largest_jump(boxes: FloatArray, times_s: FloatArray) -> float:
    """How far the centre ever was from where its last two positions lead, in the box's mean side."""
    if len(boxes) < 3:
        return 0.0
    centres, sides = box_centres(boxes), box_sizes(boxes).mean(axis=1)
    steps = np.diff(times_s)[:, None]
    velocities = np.diff(centres, axis=0) / steps
    errors_px = np.linalg.norm(centres[2:] - (centres[1:-1] + velocities[:-1] * steps[1:]), axis=1)
    return float((errors_px / sides[2:]).max())
