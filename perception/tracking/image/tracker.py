"""The tracker of the image frame: identity over time for the detections of one or several cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.boxes import xyxy_px_from_normalized
from perception.tracking.common.association import BoolArray, TrackMatches
from perception.tracking.common.track_state import TrackState
from perception.tracking.common.tracker import TrackerBase
from perception.tracking.image import box_filter
from perception.tracking.image.association import associate, duplicates, overlaps_any
from perception.tracking.image.camera_rotation import turn_states
from perception.tracking.image.observations import ImageObservations, spawn_tracks
from perception.tracking.image.settings import TrackerSettings
from perception.types import Detections, EgoMotions, ReferenceFrame, Tracks


class ImageTracker(TrackerBase[TrackerSettings, TrackState]):
    """Tracks boxes in the images of several cameras; the ``Tracker`` of the image frame.

    A constant-velocity Kalman filter (``tracking.image.box_filter``) predicts each object to the time of the new
    detections; two-stage association (``tracking.image.association``) finds it again within its camera. Ids count
    from 1, belong to this instance and are unique across its cameras.

    A new track is confirmed by its second detection (``min_hits``, ``confirm_s``), and at once in a camera's first
    frame or where frames come slowly. A lost one is found again within ``max_unseen_s``; a longer gap ends all tracks.
    """

    reference_frame: ReferenceFrame = "image"

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        super().__init__(settings or TrackerSettings(), TrackState.empty())

    def update(
        self,
        detections: Sequence[Detections],
        timestamp_ns: int,
        world_from_vehicle: FloatArray | None = None,
        ego_motions: EgoMotions | None = None,
    ) -> Tracks:
        """Take the detections of one instant, at most one ``Detections`` per camera; return the live tracks.

        Returned are the confirmed tracks that are seen now (``unseen_s`` is 0) and those unseen for up to ``coast_s``,
        predicted to now. A camera may be missing: its tracks coast for up to ``max_gap_s``, and for fewer than
        ``detect_interval`` instants they wait. The car's pose does not matter in the image frame. Where ``ego_motions``
        know how a camera turned, its boxes turn with it, and rates are those that are left. Time may stand still but
        not run backwards.

        Raises ``PerceptionError`` when ``timestamp_ns`` lies before the last one, ``UsageError`` when the cameras'
        features come from different networks, ``ValueError`` when a camera comes twice or a label has no class.
        """
        self._check_instant(detections, timestamp_ns)
        dt_s = self._begin_instant(detections, timestamp_ns)
        observed = self._observe(detections)
        self._predict(detections, dt_s, ego_motions or {})
        matches = associate(self._tracks, observed, self._settings)
        self._correct(matches, observed, timestamp_ns)
        self._drop(detections, timestamp_ns)
        is_free = np.ones(len(observed), dtype=bool)
        is_free[matches.observations] = False
        self._spawn(observed[is_free], timestamp_ns)
        self._confirm(timestamp_ns, at_once=np.isin(self._tracks.cameras, self._slow_cameras(detections, timestamp_ns)))
        self._remember_looks(detections, timestamp_ns)
        return self._report_live(timestamp_ns)

    def _observe(self, detections: Sequence[Detections]) -> ImageObservations:
        """The detections that can be tracked, of all cameras."""
        observed = ImageObservations.join(detections, noise=self._settings.noise, feature_size=self._feature_size)
        has_area = (observed.boxes_cxcywh[:, 2:] > 0).all(axis=1)
        is_weak = observed.scores < self._settings.weak_score
        self._count(empty_boxes=(~has_area).sum(), weak_detections=(has_area & is_weak).sum())
        return observed[has_area & ~is_weak]

    def _predict(self, detections: Sequence[Detections], dt_s: float, ego_motions: EgoMotions) -> None:
        """Move all tracks by ``dt_s`` and with their camera's turning, and to the size that its images have now."""
        tracks = self._tracks
        sizes_px = tracks.image_sizes_px.copy()
        for found in detections:
            sizes_px[tracks.cameras == found.camera] = found.image_size_px
        means, covariances = box_filter.predict(tracks.means, tracks.covariances, dt_s, sizes_px, self._settings.noise)
        for camera, motion in ego_motions.items():
            rows = np.flatnonzero(tracks.cameras == camera)
            means[rows], covariances[rows] = turn_states(means[rows], covariances[rows], motion)
        self._tracks = replace(tracks, means=means, covariances=covariances, image_sizes_px=sizes_px)

    def _correct(self, matches: TrackMatches, observed: ImageObservations, timestamp_ns: int) -> None:
        """Give the matched tracks what was seen of them."""
        seen, found = self._tracks[matches.tracks], observed[matches.observations]
        means, covariances = box_filter.update(
            seen.means, seen.covariances, found.boxes_cxcywh, found.stds, seen.image_sizes_px
        )
        corrected = seen.corrected(
            means=means,
            covariances=covariances,
            label_votes=found.label_votes,
            scores=found.scores,
            features=found.features,
            hits=seen.hits + 1,
            timestamp_ns=timestamp_ns,
        )
        self._tracks = self._tracks.with_rows(matches.tracks, corrected)

    def _drop(self, detections: Sequence[Detections], timestamp_ns: int) -> None:
        """Drop lost tracks that left the image or were never confirmed, and copies."""
        tracks = self._tracks
        has_left = ((tracks.positions < 0) | (tracks.positions > 1)).any(axis=1)
        camera_is_here = np.isin(tracks.cameras, [found.camera for found in detections])
        has_failed = ~tracks.is_confirmed & (tracks.unseen_s(timestamp_ns) > self._settings.tentative_unseen_s)
        is_gone = (tracks.last_ns < timestamp_ns) & (has_left | (has_failed & camera_is_here))
        tracks = tracks[~is_gone]
        copies = duplicates(tracks, timestamp_ns, self._settings)
        self._count(duplicate_tracks=copies.sum())
        self._tracks = tracks[~copies]

    def _spawn(self, observed: ImageObservations, timestamp_ns: int) -> None:
        """Start tentative tracks at the detections that are left."""
        seen = self._tracks[self._tracks.last_ns == timestamp_ns]
        is_new = observed.scores >= self._settings.spawn_score
        is_new &= ~overlaps_any(observed, seen, self._settings.spawn_max_iou)
        self._count(unused_detections=(~is_new).sum())
        spawned = spawn_tracks(observed[is_new], timestamp_ns, self._settings.noise)
        self._tracks = self._tracks.joined(spawned)

    def _slow_cameras(self, detections: Sequence[Detections], timestamp_ns: int) -> list[str]:
        """Cameras of which this is the first frame, or the first for so long that a track cannot wait for the next."""
        return [
            found.camera
            for found in detections
            if self._since_look_s(found.camera, timestamp_ns) >= self._settings.confirm_at_once_interval_s
        ]

    def _report_live(self, timestamp_ns: int) -> Tracks:
        """The confirmed tracks that are seen now, or were a moment ago, or when their camera was last looked at."""
        waits = self._wait()
        is_live = waits | (self._tracks.unseen_s(timestamp_ns) <= self._settings.coast_s) | self._in_gap(timestamp_ns)
        is_live &= self._tracks.is_confirmed
        tracks = self._tracks[is_live]
        boxes_xyxy_px = xyxy_px_from_normalized(tracks.boxes_cxcywh, tracks.image_sizes_px)
        return self._report(tracks, timestamp_ns, boxes_xyxy_px=boxes_xyxy_px, waits=waits[is_live])

    def _wait(self) -> BoolArray:
        """(N,): seen when their camera was last looked at, and it is not its turn now."""
        waits: BoolArray = np.zeros(len(self._tracks), bool)
        for camera in self._waiting:
            last_ns = self._looks[camera].timestamp_ns
            waits |= (self._tracks.cameras == camera) & (self._tracks.last_ns == last_ns)
        return waits
