"""The tracker of the ground frame: one world in metres around the car, seen by all of its cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from perception.arrays import FloatArray, IntArray
from perception.geometry.boxes import box_areas
from perception.geometry.cameras import Rig
from perception.tracking.common.tracker import TrackerBase
from perception.tracking.ground.association import (
    associate,
    duplicate_pairs,
    merged_pairs,
    missed,
    overlaps_seen,
    ranks_within,
)
from perception.tracking.ground.ego_pose import EgoMotion, PlanarPose
from perception.tracking.ground.headings import headings
from perception.tracking.ground.lifting import Views
from perception.tracking.ground.lifting_bias import remove_lifting_bias
from perception.tracking.ground.motion_models import MotionModels
from perception.tracking.ground.observations import GroundObservations, RigViews, observe
from perception.tracking.ground.road_plane import RoadEstimator, RoadPlane
from perception.tracking.ground.settings import GroundSettings
from perception.tracking.ground.track_state import (
    BoolArray,
    GroundTrackState,
    ImageProjections,
    with_best_boxes,
)
from perception.types import Detections, EgoMotions, ReferenceFrame, Sightings, Tracks


class _GroundInstant(NamedTuple):
    """What holds for all tracks now; ``here`` are the rows of ``views`` of the cameras that are present."""

    views: Views
    here: IntArray
    pose: PlanarPose
    road: RoadPlane
    timestamp_ns: int
    dt_s: float


class GroundTracker(TrackerBase[GroundSettings, GroundTrackState]):
    """Tracks road users in the world across the cameras of a rig; the ``Tracker`` of the ground frame.

    Boxes are lifted to the road (``lifting``), whose plane is estimated along the way (``road_plane``). Tracks live in
    the world, so the car's own motion is out of them; in each camera they are predicted as boxes and matched with what
    is detected there (``association``). All cameras that see a track correct it. What is left over spawns a track, one
    for all cameras that see the same thing. Ids count from 1 and belong to this instance.

    Without any pose the world is the vehicle's frame, as if the car stood still. Where poses stop, its last motion is
    carried on for a short time; where they go on at a position that it cannot have reached, all tracks end.
    """

    reference_frame: ReferenceFrame = "ground"

    def __init__(self, rig: Rig, settings: GroundSettings | None = None) -> None:
        settings = settings or GroundSettings()
        self._rig = rig
        self._road = RoadEstimator(rig.road_height_m, settings.road)
        self._car = EgoMotion(settings.poses)
        super().__init__(settings, GroundTrackState.none())

    def reset(self) -> None:
        """Forget everything; ids count from 1 again."""
        super().reset()
        self._rig_views = RigViews(self._rig)
        self._sightings: dict[str, Sightings] = {}
        self._road.reset()
        self._car.reset()

    @property
    def road(self) -> RoadPlane:
        """The road under the car, in the vehicle's axes, as far as it is known."""
        return self._road.plane

    def update(
        self,
        detections: Sequence[Detections],
        timestamp_ns: int,
        world_from_vehicle: FloatArray | None = None,
        ego_motions: EgoMotions | None = None,
    ) -> Tracks:
        """Take the detections of one instant, at most one ``Detections`` per camera; return the live tracks.

        Returned are the confirmed tracks that are seen now (``unseen_s`` is 0), those that a camera should have seen
        for up to ``coast_s``, and those that no camera can see for up to ``blind_coast_s``. A camera may be missing:
        its tracks coast, and for fewer than ``detect_interval`` instants they wait. Time may stand still but not run
        backwards.

        Raises ``PerceptionError`` when ``timestamp_ns`` lies before the last one, ``UsageError`` when the rig does not
        know a camera or its images have another shape, or the cameras' features come from different networks,
        ``ValueError`` when a camera comes twice or a label has no class.
        """
        self._check_instant(detections, timestamp_ns)
        views, here = self._rig_views.of(detections)
        is_first = self._now_ns is None
        dt_s = self._begin_instant(detections, timestamp_ns)
        pose, is_elsewhere = self._move_car(world_from_vehicle, timestamp_ns)
        observed, left_out = observe(
            detections, here, views, pose, self._road, self._settings, feature_size=self._feature_size, dt_s=dt_s
        )
        self._count(**left_out._asdict())
        now = _GroundInstant(
            views=views, here=here, pose=pose, road=self._road.plane, timestamp_ns=timestamp_ns, dt_s=dt_s
        )
        self._predict(now)
        owners = self._spawn(self._match(observed, now), observed, now)
        owners, projections = self._merge(owners, observed, now)
        owners, projections = self._drop(owners, projections, observed, now)
        look_s = dt_s * self._settings.detect_interval
        is_slow = is_first or look_s >= self._settings.confirm_at_once_interval_s
        self._confirm(timestamp_ns, at_once=is_slow or is_elsewhere)
        self._turn(now)
        self._remember_looks(detections, timestamp_ns)
        return self._report_live(owners, projections, observed, now)

    def _move_car(self, world_from_vehicle: FloatArray | None, timestamp_ns: int) -> tuple[PlanarPose, bool]:
        """Where the car is, and whether the tracks that were there mean nothing any more."""
        pose, news = self._car.update(world_from_vehicle, timestamp_ns)
        is_elsewhere = news == "elsewhere"
        self._count(missing_poses=news == "missing", wrong_poses=news == "wrong", pose_restarts=is_elsewhere)
        if is_elsewhere:
            self._tracks = self._tracks[:0]
        return pose, is_elsewhere

    def _predict(self, now: _GroundInstant) -> None:
        """Move all tracks to now."""
        models = self._tracks.models.predicted(now.dt_s, self._tracks.groups, self._settings.motion)
        self._tracks = self._tracks.with_models(models)

    def _match(self, observed: GroundObservations, now: _GroundInstant) -> IntArray:
        """Give the tracks what was seen of them; returns the row of the track of each observation (M,), or -1."""
        projections = ImageProjections.of(self._tracks, now.views, now.pose, now.road)
        matches = associate(self._tracks, projections, now.views.sizes_px, observed, self._settings)
        owners = np.full(len(observed), -1)
        owners[matches.observations] = matches.tracks
        self._correct(matches.tracks, matches.observations, observed, now)
        may_start = (owners < 0) & (observed.scores >= self._settings.spawn_score)
        rows = np.flatnonzero(may_start)
        is_known = overlaps_seen(
            observed[rows], self._tracks, projections, now.timestamp_ns, self._settings.spawn_max_iou
        )
        owners[rows[is_known]] = _UNUSED
        return owners

    def _correct(self, rows: IntArray, found: IntArray, observed: GroundObservations, now: _GroundInstant) -> None:
        """Correct the tracks ``rows`` (K,) by the observations ``found`` (K,); a track may come several times."""
        areas = box_areas(observed.boxes_xyxy_px[found])
        # The camera that sees a track best comes last: its box and feature stay.
        order = np.lexsort((areas, rows))
        rows, found = rows[order], found[order]
        ranks = ranks_within(rows)
        unbiased = remove_lifting_bias(
            observed[found], self._tracks[rows], now.views, now.pose, now.road, self._settings
        )
        names = np.array(self._rig_views.names, np.str_)
        for rank in range(ranks.max(initial=-1) + 1):
            seen, part = self._tracks[rows[ranks == rank]], unbiased[ranks == rank]
            gate = self._settings.outlier_gate
            models = seen.models.corrected(part.measured, part.jitters, part.lasting, gate)
            seen = seen.with_models(models, part.lasting)
            corrected = seen.corrected(
                means=seen.means,
                covariances=seen.covariances,
                label_votes=part.label_votes,
                scores=part.scores,
                features=part.features,
                cameras=names[part.cameras],
                image_sizes_px=now.views.sizes_px[part.cameras],
                boxes_xyxy_px=part.boxes_xyxy_px,
                hits=seen.hits + (seen.last_ns < now.timestamp_ns),
                timestamp_ns=now.timestamp_ns,
                missed_s=np.zeros(len(seen)),
            )
            self._tracks = self._tracks.with_rows(rows[ranks == rank], corrected)

    def _spawn(self, owners: IntArray, observed: GroundObservations, now: _GroundInstant) -> IntArray:
        """Start tentative tracks at the observations that are left, camera by camera: what one camera spawned, the
        next ones may see too."""
        owners, first = owners.copy(), len(self._tracks)
        is_free = (owners == -1) & (observed.scores >= self._settings.spawn_score)
        for camera in np.unique(observed.cameras[is_free]):
            rows = np.flatnonzero(is_free & (observed.cameras == camera))
            spawned = self._tracks[first:]
            projections = ImageProjections.of(spawned, now.views, now.pose, now.road)
            matches = associate(
                spawned, projections, now.views.sizes_px, observed[rows], self._settings, must_overlap=True
            )
            owners[rows[matches.observations]] = first + matches.tracks
            self._correct(first + matches.tracks, rows[matches.observations], observed, now)
            alone = np.delete(rows, matches.observations)
            owners[alone] = len(self._tracks) + np.arange(len(alone))
            self._tracks = self._tracks.joined(self._spawned(observed[alone], now))
        self._count(unused_detections=(owners < 0).sum())
        return owners

    def _spawned(self, observed: GroundObservations, now: _GroundInstant) -> GroundTrackState:
        """Tentative tracks at the observations; their guessed headings first give the centres."""
        motion = self._settings.motion
        spawned = GroundTrackState.spawned(
            observed,
            names=self._rig_views.names,
            views=now.views,
            timestamp_ns=now.timestamp_ns,
            car_yaw_rad=now.pose.yaw_rad,
            motion=motion,
        )
        headings_rad, _, _ = headings(spawned, now.pose, 0.0, motion)
        spawned = replace(spawned, headings_rad=headings_rad)
        found = remove_lifting_bias(observed, spawned, now.views, now.pose, now.road, self._settings)
        models = MotionModels.spawned(found.measured, found.jitters, found.lasting, found.groups, motion)
        return spawned.with_models(models, found.lasting)

    def _merge(
        self, owners: IntArray, observed: GroundObservations, now: _GroundInstant
    ) -> tuple[IntArray, ImageProjections]:
        """Make one of the tracks that turn out to be one object; returns the owners and where the tracks lie."""
        tracks = self._tracks
        projections = ImageProjections.of(tracks, now.views, now.pose, now.road)
        is_seen_by = np.zeros((len(tracks), len(now.views)), bool)
        is_seen_by[owners[owners >= 0], observed.cameras[owners >= 0]] = True
        kept, copies = duplicate_pairs(tracks, projections, is_seen_by, self._settings)
        if len(kept) == 0:
            return owners, projections
        merged, sources = merged_pairs(tracks, kept, copies)
        self._count(duplicate_tracks=len(copies))
        heirs = np.arange(len(tracks))
        heirs[copies] = kept
        stays = heirs == np.arange(len(tracks))
        self._tracks = tracks.with_rows(kept, merged)[stays]
        return _moved_up(_taken(heirs, owners, otherwise=owners), stays), projections[sources][stays]

    def _drop(
        self, owners: IntArray, projections: ImageProjections, observed: GroundObservations, now: _GroundInstant
    ) -> tuple[IntArray, ImageProjections]:
        """Drop lost tracks: unseen for long, overlooked by a camera that looks at them, or never confirmed."""
        tracks, settings = self._tracks, self._settings
        unseen_s = tracks.unseen_s(now.timestamp_ns)
        names = np.array(self._rig_views.names)[now.here]
        looks_s = np.array([self._since_look_s(name, now.timestamp_ns) for name in names.tolist()])
        elapsed_s = np.minimum(looks_s, settings.detect_interval * now.dt_s)
        missed_s = tracks.missed_s + missed(unseen_s > 0, projections, observed, now.here, elapsed_s, settings)
        camera_is_here = np.isin(tracks.cameras, names)
        has_failed = ~tracks.is_confirmed & (unseen_s > settings.tentative_unseen_s) & camera_is_here
        stays = ~has_failed & (missed_s <= settings.max_missed_s)
        self._tracks = replace(tracks, missed_s=missed_s)[stays]
        return _moved_up(owners, stays), projections[stays]

    def _turn(self, now: _GroundInstant) -> None:
        headings_rad, has_moved, is_moving = headings(self._tracks, now.pose, now.dt_s, self._settings.motion)
        self._tracks = replace(self._tracks, headings_rad=headings_rad, has_moved=has_moved, is_moving=is_moving)

    def _report_live(
        self, owners: IntArray, projections: ImageProjections, observed: GroundObservations, now: _GroundInstant
    ) -> Tracks:
        names = np.array(self._rig_views.names, np.str_)
        owner_ids = _taken(self._tracks.ids, owners, otherwise=0)
        observed = observed[owner_ids > 0]
        seen = Sightings(
            track_ids=owner_ids[owner_ids > 0],
            cameras=names[observed.cameras],
            boxes_xyxy_px=observed.boxes_xyxy_px,
            scores=observed.scores,
        )
        self._sightings.update({name: seen[seen.cameras == name] for name in names[now.here].tolist()})
        predicted = self._predict_sightings(projections)
        unseen_s = self._tracks.unseen_s(now.timestamp_ns)
        waits = np.isin(self._tracks.ids, predicted.track_ids) & (unseen_s > 0)
        self._tracks = with_best_boxes(
            self._tracks, projections, names, now.views.sizes_px, waits | (unseen_s == 0), now.timestamp_ns
        )
        is_live = (self._tracks.missed_s <= self._settings.coast_s) & (unseen_s <= self._settings.blind_coast_s)
        is_live = (is_live | waits) & self._tracks.is_confirmed
        tracks = self._tracks[is_live]
        return self._report(
            tracks,
            now.timestamp_ns,
            boxes_xyxy_px=tracks.boxes_xyxy_px,
            headings_rad=tracks.headings_rad,
            is_standing=tracks.models.is_standing,
            sightings=seen.joined(predicted),
            waits=waits[is_live],
        )

    def _predict_sightings(self, projections: ImageProjections) -> Sightings:
        """Where the cameras that wait should see what they saw when the detector last looked at them."""
        tracks, predicted = self._tracks, Sightings.empty()
        for camera in self._waiting:
            column = self._rig_views.names.index(camera)
            _, rows, found = np.intersect1d(tracks.ids, self._sightings[camera].track_ids, return_indices=True)
            boxes = projections.boxes_xyxy_px[rows, column]
            is_inside = projections.is_in_front[rows, column] & (box_areas(boxes) > 0)
            moved = replace(self._sightings[camera][found], boxes_xyxy_px=boxes)
            predicted = predicted.joined(moved[is_inside])
        return predicted


_UNUSED = -2
"""The owner of an observation that starts no track, because it shows one that is seen already."""


def _taken(values: IntArray, owners: IntArray, *, otherwise: IntArray | int) -> IntArray:
    """The values (N,) at ``owners`` (M,), and ``otherwise`` where there is no owner."""
    if len(values) == 0:
        return np.broadcast_to(np.asarray(otherwise), owners.shape)
    return np.where(owners >= 0, values[np.maximum(owners, 0)], otherwise)


def _moved_up(owners: IntArray, stays: BoolArray) -> IntArray:
    """The owners (M,) after only the rows that stay are left; -1 where the owner is gone."""
    return _taken(np.where(stays, np.cumsum(stays) - 1, -1), owners, otherwise=owners)
