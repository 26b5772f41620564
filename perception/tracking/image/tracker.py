"""The tracker: identity over time for the detections of one or several cameras, in the image frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from perception.arrays import FloatArray
from perception.errors import PerceptionError, UsageError
from perception.geometry.boxes import xyxy_px_from_normalized
from perception.taxonomy import CLASSES
from perception.tracking.common import kalman
from perception.tracking.common.association import BoolArray, Matches, associate, duplicates, overlaps_any
from perception.tracking.common.settings import TrackerSettings
from perception.tracking.common.track_state import Observations, TrackMemory, label_votes
from perception.types import NO_FEATURE_SPACE, Detections, ReferenceFrame, TrackerCounts, Tracks


def check_instant(detections: Sequence[Detections], timestamp_ns: int, last_ns: int | None) -> None:
    """Raise where the detections of an instant, the last one being at ``last_ns``, cannot be tracked.

    ``PerceptionError`` when time runs backwards, ``ValueError`` when a camera comes twice or a label has no class.
    """
    if last_ns is not None and timestamp_ns < last_ns:
        raise PerceptionError(
            f"The time stamp {timestamp_ns} ns comes after {last_ns} ns and lies before it: "
            "give the frames in order of time, or reset the tracker before a new recording."
        )
    cameras = [found.camera for found in detections]
    if len(set(cameras)) != len(cameras):
        raise ValueError(f"detections: expected at most one Detections per camera, got {cameras}")
    for found in detections:
        if len(found) and np.any((found.labels < 0) | (found.labels >= len(CLASSES))):
            raise ValueError(f"detections: expected labels in 0..{len(CLASSES) - 1}, got others from {found.camera}")


def feature_kind(detections: Sequence[Detections]) -> tuple[str, int] | None:
    """The network whose features the detections carry, and how many numbers; None without any detection.

    Raises ``UsageError`` when the cameras' features come from different networks.
    """
    kinds = {(found.feature_space, found.features.shape[1]) for found in detections if len(found)}
    if len(kinds) > 1:
        names = ", ".join(f"{space or 'none'} ({size} numbers)" for space, size in sorted(kinds))
        raise UsageError(f"The cameras' features are of different kinds: {names}; use one detector for all cameras.")
    return next(iter(kinds), None)


class ImageTracker:
    """Tracks boxes in the images of several cameras; the ``Tracker`` of the image frame.

    A constant-velocity Kalman filter (``tracking.common.kalman``) predicts each object to the time of the new
    detections; two-stage association (``tracking.common.association``) finds it again within its camera. Ids count
    from 1, belong to this instance and are unique across its cameras.

    A new track is confirmed by its second detection (``min_hits``, ``confirm_s``), and at once in a camera's first
    frame or where frames come slowly. A lost one is found again within ``max_unseen_s``; a longer gap ends all tracks.
    """

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        self._settings = settings or TrackerSettings()
        self.reset()

    def reset(self) -> None:
        """Forget everything; ids count from 1 again."""
        self._memory = TrackMemory.empty()
        self._feature_space = NO_FEATURE_SPACE
        self._now_ns: int | None = None
        self._camera_last_ns: dict[str, int] = {}
        self._next_id = 1
        self._counts = TrackerCounts()

    @property
    def reference_frame(self) -> ReferenceFrame:
        return "image"

    @property
    def settings(self) -> TrackerSettings:
        return self._settings

    @property
    def counts(self) -> TrackerCounts:
        """What was left out so far."""
        return self._counts

    def update(
        self, detections: Sequence[Detections], timestamp_ns: int, world_from_vehicle: FloatArray | None = None
    ) -> Tracks:
        """Take the detections of one instant, at most one ``Detections`` per camera; return the live tracks.

        Returned are the confirmed tracks that are seen now (``unseen_s`` is 0) and those unseen for up to ``coast_s``,
        predicted to now. A camera may be missing: its tracks coast. The car's pose does not matter in the image frame.
        Time may stand still but not run backwards.

        Raises ``PerceptionError`` when ``timestamp_ns`` lies before the last one, ``UsageError`` when the cameras'
        features come from different networks, ``ValueError`` when a camera comes twice or a label has no class.
        """
        check_instant(detections, timestamp_ns, self._now_ns)
        self._adopt_features(detections)
        observed = self._observe(detections)
        self._predict(detections, timestamp_ns)
        matches = associate(self._memory, observed, self._settings)
        self._correct(matches, observed, timestamp_ns)
        self._forget(detections, timestamp_ns)
        is_free = np.ones(len(observed), dtype=bool)
        is_free[matches.observations] = False
        self._bear(observed[is_free], timestamp_ns)
        self._confirm(detections, timestamp_ns)
        return self._report(timestamp_ns)

    def _adopt_features(self, detections: Sequence[Detections]) -> None:
        """Remember whose features the tracks carry; when the network changes, the old features mean nothing."""
        space, size = feature_kind(detections) or (self._feature_space, self._memory.features.shape[1])
        if (space, size) != (self._feature_space, self._memory.features.shape[1]):
            self._feature_space = space
            self._memory = replace(self._memory, features=np.zeros((len(self._memory), size), np.float32))

    def _observe(self, detections: Sequence[Detections]) -> Observations:
        """The detections that can be tracked, of all cameras."""
        observed = Observations.join(
            detections, noise=self._settings.noise, feature_size=self._memory.features.shape[1]
        )
        has_area = (observed.boxes_cxcywh[:, 2:] > 0).all(axis=1)
        is_weak = observed.scores < self._settings.weak_score
        self._count(empty_boxes=int((~has_area).sum()), weak_detections=int((has_area & is_weak).sum()))
        return observed[has_area & ~is_weak]

    def _predict(self, detections: Sequence[Detections], timestamp_ns: int) -> None:
        """Move all tracks to now, and to the size that their camera's images have now."""
        tracks = self._memory[self._memory.unseen_s(timestamp_ns) <= self._settings.max_unseen_s]
        sizes_px = tracks.image_sizes_px.copy()
        for found in detections:
            sizes_px[tracks.cameras == found.camera] = found.image_size_px
        dt_s = 0.0 if self._now_ns is None else (timestamp_ns - self._now_ns) / 1e9
        means, covariances = kalman.predict(tracks.means, tracks.covariances, dt_s, sizes_px, self._settings.noise)
        self._memory = replace(tracks, means=means, covariances=covariances, image_sizes_px=sizes_px)
        self._now_ns = timestamp_ns

    def _correct(self, matches: Matches, observed: Observations, timestamp_ns: int) -> None:
        """Give the matched tracks what was seen of them."""
        seen, found = self._memory[matches.tracks], observed[matches.observations]
        means, covariances = kalman.update(
            seen.means, seen.covariances, found.boxes_cxcywh, found.stds, seen.image_sizes_px
        )
        corrected = replace(
            seen,
            means=means,
            covariances=covariances,
            label_votes=seen.label_votes + label_votes(found),
            scores=found.scores,
            features=found.features,
            hits=seen.hits + 1,
            last_ns=np.full(len(seen), timestamp_ns, np.int64),
        )
        self._memory = self._memory.with_rows(matches.tracks, corrected)

    def _forget(self, detections: Sequence[Detections], timestamp_ns: int) -> None:
        """Drop lost tracks that left the image or were never confirmed, and copies."""
        tracks = self._memory
        has_left = ((tracks.means[:, :2] < 0) | (tracks.means[:, :2] > 1)).any(axis=1)
        camera_is_here = np.isin(tracks.cameras, [found.camera for found in detections])
        has_failed = ~tracks.is_confirmed & (tracks.unseen_s(timestamp_ns) > self._settings.tentative_unseen_s)
        is_gone = (tracks.last_ns < timestamp_ns) & (has_left | (has_failed & camera_is_here))
        tracks = tracks[~is_gone]
        copies = duplicates(tracks, timestamp_ns, self._settings)
        self._count(duplicate_tracks=int(copies.sum()))
        self._memory = tracks[~copies]

    def _bear(self, observed: Observations, timestamp_ns: int) -> None:
        """Start tentative tracks at the detections that are left."""
        seen = self._memory[self._memory.last_ns == timestamp_ns]
        is_new = observed.scores >= self._settings.birth_score
        is_new &= ~overlaps_any(observed, seen, self._settings.birth_max_iou)
        self._count(unused_detections=int((~is_new).sum()))
        born = TrackMemory.born(observed[is_new], timestamp_ns, self._settings.noise)
        self._memory = self._memory.joined(born)

    def _confirm(self, detections: Sequence[Detections], timestamp_ns: int) -> None:
        """Give ids to the tracks that have proved themselves."""
        tracks, settings = self._memory, self._settings
        ages_s = (timestamp_ns - tracks.first_ns) / 1e9
        is_proved = (tracks.hits >= settings.min_hits) & (ages_s >= settings.confirm_s)
        is_new: BoolArray = ~tracks.is_confirmed & (
            is_proved | np.isin(tracks.cameras, self._slow_cameras(detections, timestamp_ns))
        )
        ids = tracks.ids.copy()
        ids[is_new] = self._next_id + np.arange(is_new.sum())
        self._next_id += int(is_new.sum())
        self._memory = replace(tracks, ids=ids)
        self._camera_last_ns.update({found.camera: timestamp_ns for found in detections})

    def _slow_cameras(self, detections: Sequence[Detections], timestamp_ns: int) -> list[str]:
        """Cameras of which this is the first frame, or the first for so long that a track cannot wait for the next."""
        interval_ns = self._settings.confirm_at_once_interval_s * 1e9
        last_ns = self._camera_last_ns
        return [
            found.camera
            for found in detections
            if found.camera not in last_ns or timestamp_ns - last_ns[found.camera] >= interval_ns
        ]

    def _report(self, timestamp_ns: int) -> Tracks:
        unseen_s = self._memory.unseen_s(timestamp_ns)
        tracks = self._memory[self._memory.is_confirmed & (unseen_s <= self._settings.coast_s)]
        return Tracks(
            ids=tracks.ids,
            labels=tracks.labels,
            scores=tracks.scores,
            means=tracks.means,
            covariances=tracks.covariances,
            boxes_xyxy_px=xyxy_px_from_normalized(tracks.means, tracks.image_sizes_px),
            cameras=tracks.cameras,
            image_sizes_px=tracks.image_sizes_px,
            ages_s=(timestamp_ns - tracks.first_ns) / 1e9,
            unseen_s=tracks.unseen_s(timestamp_ns),
            features=tracks.features,
            feature_space=self._feature_space,
        )

    def _count(self, **more: int) -> None:
        self._counts = replace(self._counts, **{name: getattr(self._counts, name) + n for name, n in more.items()})
