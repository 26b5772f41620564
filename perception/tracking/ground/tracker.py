"""The tracker of the ground frame: one world in metres around the car, seen by all of its cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from perception.arrays import FloatArray, IntArray
from perception.geometry.boxes import box_areas
from perception.geometry.cameras import Rig
from perception.tracking.common import kalman
from perception.tracking.ground.association import (
    associate,
    merged_pairs,
    missed,
    one_object,
    overlaps_seen,
    ranks_within,
    widened,
)
from perception.tracking.ground.ego_pose import CarMotion, PlanarPose
from perception.tracking.ground.headings import headings
from perception.tracking.ground.lifting import Views
from perception.tracking.ground.lifting_bias import centred
from perception.tracking.ground.observations import GroundObservations, RigViews, observe
from perception.tracking.ground.road_plane import RoadEstimator, RoadPlane
from perception.tracking.ground.settings import GroundSettings
from perception.tracking.ground.track_state import BoolArray, GroundMemory, InImages, shown, with_sides
from perception.tracking.image.tracker import check_instant, feature_kind
from perception.types import NO_FEATURE_SPACE, Detections, ReferenceFrame, Sightings, TrackerCounts, Tracks


class _Instant(NamedTuple):
    """What holds for all tracks now; ``here`` are the rows of ``views`` of the cameras that are present."""

    views: Views
    here: IntArray
    pose: PlanarPose
    road: RoadPlane
    timestamp_ns: int
    dt_s: float


class GroundTracker:
    """Tracks road users in the world across the cameras of a rig; the ``Tracker`` of the ground frame.

    Boxes are lifted to the road (``lifting``), whose plane is estimated along the way (``road``). Tracks live in the
    world, so the car's own motion is out of them; in each camera they are predicted as boxes and matched with what is
    detected there (``ground_association``). All cameras that see a track correct it. What is left over starts a track,
    one for all cameras that see the same thing. Ids count from 1 and belong to this instance.

    Without any pose the world is the vehicle's frame, as if the car stood still. Where poses stop, its last motion is
    carried on for a short time; where they go on at a place that it cannot have reached, all tracks end.
    """

    def __init__(self, rig: Rig, settings: GroundSettings | None = None) -> None:
        self._rig = rig
        self._settings = settings or GroundSettings()
        self._road = RoadEstimator(rig.road_height_m, self._settings.road)
        self._car = CarMotion(self._settings.poses)
        self.reset()

    def reset(self) -> None:
        """Forget everything; ids count from 1 again."""
        self._rig_views = RigViews(self._rig)
        self._road.reset()
        self._car.reset()
        self._memory = GroundMemory.none()
        self._feature_space = NO_FEATURE_SPACE
        self._now_ns: int | None = None
        self._next_id = 1
        self._counts = TrackerCounts()

    @property
    def settings(self) -> GroundSettings:
        return self._settings

    @property
    def reference_frame(self) -> ReferenceFrame:
        return "ground"

    @property
    def counts(self) -> TrackerCounts:
        """What was left out so far."""
        return self._counts

    @property
    def road(self) -> RoadPlane:
        """The road under the car, in the vehicle's axes, as far as it is known."""
        return self._road.plane

    def update(
        self, detections: Sequence[Detections], timestamp_ns: int, world_from_vehicle: FloatArray | None = None
    ) -> Tracks:
        """Take the detections of one instant, at most one ``Detections`` per camera; return the live tracks.

        Returned are the confirmed tracks that are seen now (``unseen_s`` is 0), those that a camera should have seen
        for up to ``coast_s``, and those that no camera can see for up to ``blind_coast_s``. A camera may be missing:
        its tracks coast. Time may stand still but not run backwards.

        Raises ``PerceptionError`` when ``timestamp_ns`` lies before the last one, ``UsageError`` when the rig does not
        know a camera or its images have another shape, or the cameras' features come from different networks,
        ``ValueError`` when a camera comes twice or a label has no class.
        """
        check_instant(detections, timestamp_ns, self._now_ns)
        views, here = self._rig_views.of(detections)
        self._adopt_features(detections)
        dt_s = 0.0 if self._now_ns is None else (timestamp_ns - self._now_ns) / 1e9
        is_slow = self._now_ns is None or dt_s >= self._settings.confirm_at_once_interval_s
        self._now_ns = timestamp_ns
        pose, is_elsewhere = self._move_car(world_from_vehicle, timestamp_ns)
        feature_size = self._memory.features.shape[1]
        observed, left_out = observe(
            detections, here, views, pose, self._road, self._settings, feature_size=feature_size, dt_s=dt_s
        )
        self._count(**left_out._asdict())
        now = _Instant(views, here, pose, self._road.plane, timestamp_ns, dt_s)
        self._predict(now)
        owners = self._bear(self._match(observed, now), observed, now)
        owners, in_images = self._merge(owners, observed, now)
        owners, in_images = self._forget(owners, in_images, observed, now)
        self._confirm(now, at_once=is_slow or is_elsewhere)
        self._turn(now)
        return self._report(owners, in_images, observed, now)

    def _adopt_features(self, detections: Sequence[Detections]) -> None:
        """Remember whose features the tracks carry; when the network changes, the old features mean nothing."""
        space, size = feature_kind(detections) or (self._feature_space, self._memory.features.shape[1])
        if (space, size) != (self._feature_space, self._memory.features.shape[1]):
            self._feature_space = space
            self._memory = replace(self._memory, features=np.zeros((len(self._memory), size), np.float32))

    def _move_car(self, world_from_vehicle: FloatArray | None, timestamp_ns: int) -> tuple[PlanarPose, bool]:
        """Where the car is, and whether the tracks that were there mean nothing any more."""
        pose, news = self._car.update(world_from_vehicle, timestamp_ns)
        is_elsewhere = news == "elsewhere"
        self._count(missing_poses=news == "missing", wrong_poses=news == "wrong", pose_restarts=is_elsewhere)
        if is_elsewhere:
            self._memory = self._memory[:0]
        return pose, is_elsewhere

    def _predict(self, now: _Instant) -> None:
        """Move all tracks to now."""
        motion = self._settings.motion
        tracks = self._memory[self._memory.unseen_s(now.timestamp_ns) <= self._settings.max_unseen_s]
        speeding = np.asarray(motion.acceleration_densities)[tracks.groups]
        sides = np.full((len(tracks), 2), motion.side_acceleration_density)
        means, covariances = kalman.step(
            tracks.means, tracks.covariances, now.dt_s, np.column_stack([speeding, speeding, sides])
        )
        self._memory = replace(tracks, means=with_sides(means), covariances=covariances)

    def _match(self, observed: GroundObservations, now: _Instant) -> IntArray:
        """Give the tracks what was seen of them; returns the row of the track of each observation (M,), or -1."""
        in_images = InImages.of(self._memory, now.views, now.pose, now.road)
        matches = associate(self._memory, in_images, now.views.sizes_px, observed, self._settings)
        owners = np.full(len(observed), -1)
        owners[matches.observations] = matches.tracks
        self._correct(matches.tracks, matches.observations, observed, now)
        may_start = (owners < 0) & (observed.scores >= self._settings.birth_score)
        rows = np.flatnonzero(may_start)
        is_known = overlaps_seen(
            observed[rows], self._memory, in_images, now.timestamp_ns, self._settings.birth_max_iou
        )
        owners[rows[is_known]] = _UNUSED
        return owners

    def _correct(self, rows: IntArray, found: IntArray, observed: GroundObservations, now: _Instant) -> None:
        """Correct the tracks ``rows`` (K,) by the observations ``found`` (K,); a track may come several times."""
        areas = box_areas(observed.boxes_xyxy_px[found])
        # The camera that sees a track best comes last: its box and feature stay.
        order = np.lexsort((areas, rows))
        rows, found = rows[order], found[order]
        ranks = ranks_within(rows)
        centred_found = centred(observed[found], self._memory[rows], now.views, now.pose, now.road, self._settings)
        names = np.array(self._rig_views.names, np.str_)
        for rank in range(ranks.max(initial=-1) + 1):
            seen, part = self._memory[rows[ranks == rank]], centred_found[ranks == rank]
            errors = widened(seen, part, self._settings.gate)
            means, covariances = kalman.correct(seen.means, seen.covariances, part.measured, errors)
            corrected = replace(
                seen,
                means=with_sides(means),
                covariances=covariances,
                label_votes=seen.label_votes + part.label_votes,
                scores=part.scores,
                features=part.features,
                cameras=names[part.cameras],
                image_sizes_px=now.views.sizes_px[part.cameras],
                boxes_xyxy_px=part.boxes_xyxy_px,
                hits=seen.hits + (seen.last_ns < now.timestamp_ns),
                last_ns=np.full(len(seen), now.timestamp_ns, np.int64),
                missed_s=np.zeros(len(seen)),
            )
            self._memory = self._memory.with_rows(rows[ranks == rank], corrected)

    def _bear(self, owners: IntArray, observed: GroundObservations, now: _Instant) -> IntArray:
        """Start tentative tracks at the observations that are left, camera by camera: what one camera started, the
        next ones may see too."""
        owners, first = owners.copy(), len(self._memory)
        is_free = (owners == -1) & (observed.scores >= self._settings.birth_score)
        for camera in np.unique(observed.cameras[is_free]):
            rows = np.flatnonzero(is_free & (observed.cameras == camera))
            newborn = self._memory[first:]
            in_images = InImages.of(newborn, now.views, now.pose, now.road)
            matches = associate(
                newborn, in_images, now.views.sizes_px, observed[rows], self._settings, must_overlap=True
            )
            owners[rows[matches.observations]] = first + matches.tracks
            self._correct(first + matches.tracks, rows[matches.observations], observed, now)
            alone = np.delete(rows, matches.observations)
            owners[alone] = len(self._memory) + np.arange(len(alone))
            self._memory = self._memory.joined(self._started(observed[alone], now))
        self._count(unused_detections=(owners < 0).sum())
        return owners

    def _started(self, observed: GroundObservations, now: _Instant) -> GroundMemory:
        """Tentative tracks at the observations; their guessed headings first tell where the centres are."""
        motion = self._settings.motion
        started = GroundMemory.started(
            observed, self._rig_views.names, now.views, now.timestamp_ns, now.pose.yaw_rad, motion
        )
        headings_rad, _, _ = headings(started, now.pose, 0.0, motion)
        started = replace(started, headings_rad=headings_rad)
        found = centred(observed, started, now.views, now.pose, now.road, self._settings)
        means = np.concatenate([found.measured, started.means[:, 4:]], axis=1)
        return replace(started, means=means)

    def _merge(self, owners: IntArray, observed: GroundObservations, now: _Instant) -> tuple[IntArray, InImages]:
        """Make one of the tracks that turn out to be one object; returns the owners and where the tracks lie."""
        tracks = self._memory
        in_images = InImages.of(tracks, now.views, now.pose, now.road)
        is_seen_by = np.zeros((len(tracks), len(now.views)), bool)
        is_seen_by[owners[owners >= 0], observed.cameras[owners >= 0]] = True
        kept, copies = one_object(tracks, in_images, is_seen_by, self._settings)
        if len(kept) == 0:
            return owners, in_images
        merged, sources = merged_pairs(tracks, kept, copies)
        self._count(duplicate_tracks=len(copies))
        heirs = np.arange(len(tracks))
        heirs[copies] = kept
        stays = heirs == np.arange(len(tracks))
        self._memory = tracks.with_rows(kept, merged)[stays]
        return _moved_up(_taken(heirs, owners, otherwise=owners), stays), in_images[sources][stays]

    def _forget(
        self, owners: IntArray, in_images: InImages, observed: GroundObservations, now: _Instant
    ) -> tuple[IntArray, InImages]:
        """Drop lost tracks: unseen for long, overlooked by a camera that looks at them, or never confirmed."""
        tracks, settings = self._memory, self._settings
        unseen_s = tracks.unseen_s(now.timestamp_ns)
        is_missed = missed(unseen_s > 0, in_images, observed, now.here, settings)
        missed_s = tracks.missed_s + now.dt_s * is_missed
        camera_is_here = np.isin(tracks.cameras, np.array(self._rig_views.names)[now.here])
        has_failed = ~tracks.is_confirmed & (unseen_s > settings.tentative_unseen_s) & camera_is_here
        stays = ~has_failed & (missed_s <= settings.max_missed_s)
        self._memory = replace(tracks, missed_s=missed_s)[stays]
        return _moved_up(owners, stays), in_images[stays]

    def _confirm(self, now: _Instant, *, at_once: bool) -> None:
        """Give ids to the tracks that have proved themselves."""
        tracks, settings = self._memory, self._settings
        ages_s = (now.timestamp_ns - tracks.first_ns) / 1e9
        is_proved = (tracks.hits >= settings.min_hits) & (ages_s >= settings.confirm_s)
        is_new = ~tracks.is_confirmed & (is_proved | at_once)
        ids = tracks.ids.copy()
        ids[is_new] = self._next_id + np.arange(is_new.sum())
        self._next_id += int(is_new.sum())
        self._memory = replace(tracks, ids=ids)

    def _turn(self, now: _Instant) -> None:
        headings_rad, has_moved, is_moving = headings(self._memory, now.pose, now.dt_s, self._settings.motion)
        self._memory = replace(self._memory, headings_rad=headings_rad, has_moved=has_moved, is_moving=is_moving)

    def _report(self, owners: IntArray, in_images: InImages, observed: GroundObservations, now: _Instant) -> Tracks:
        names = np.array(self._rig_views.names, np.str_)
        self._memory = shown(self._memory, in_images, names, now.views.sizes_px, now.timestamp_ns)
        unseen_s = self._memory.unseen_s(now.timestamp_ns)
        is_live = (self._memory.missed_s <= self._settings.coast_s) & (unseen_s <= self._settings.blind_coast_s)
        tracks = self._memory[self._memory.is_confirmed & is_live]
        owner_ids = _taken(self._memory.ids, owners, otherwise=0)
        seen = observed[owner_ids > 0]
        return Tracks(
            ids=tracks.ids,
            labels=tracks.labels,
            scores=tracks.scores,
            means=tracks.means,
            covariances=tracks.covariances,
            boxes_xyxy_px=tracks.boxes_xyxy_px,
            cameras=tracks.cameras,
            image_sizes_px=tracks.image_sizes_px,
            ages_s=(now.timestamp_ns - tracks.first_ns) / 1e9,
            unseen_s=tracks.unseen_s(now.timestamp_ns),
            features=tracks.features,
            feature_space=self._feature_space,
            reference_frame="ground",
            headings_rad=tracks.headings_rad,
            sightings=Sightings(owner_ids[owner_ids > 0], names[seen.cameras], seen.boxes_xyxy_px, seen.scores),
        )

    def _count(self, **more: int | np.integer) -> None:
        self._counts = replace(self._counts, **{name: getattr(self._counts, name) + int(n) for name, n in more.items()})


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
