"""One identity per object however many cameras see it, at once or one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import IntArray
from perception.evaluation.core.table_boxes import ratio
from perception.evaluation.tracking.gt_track_matching import GtTrackMatches

WINDOW_S = 2.0
"""How long an object may be out of sight between two cameras."""

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class CrossCameraIdentityReport:
    """Of ``handover_count`` times that an object left a camera for at least ``window_s`` while or until another one
    saw it, at most ``window_s`` later, ``tracked_count`` had a track before.

    Of these ``kept_count`` have the same identity when they are next found, ``changed_count`` another, ``lost_count``
    are not found in that time. ``shared_count`` times (one count per instant) several cameras had a track on an object
    at once, ``one_identity_count`` of them all the same.
    """

    window_s: float
    handover_count: int = 0
    tracked_count: int = 0
    kept_count: int = 0
    changed_count: int = 0
    lost_count: int = 0
    shared_count: int = 0
    one_identity_count: int = 0
    kept_share: float | None = None
    one_identity_share: float | None = None


_ADDED = (
    *("handover_count", "tracked_count", "kept_count", "changed_count", "lost_count"),
    *("shared_count", "one_identity_count"),
)


def join_cross_camera_identity(parts: Sequence[CrossCameraIdentityReport]) -> CrossCameraIdentityReport:
    """That of several recordings together; of one at least."""
    sums = {name: sum(getattr(part, name) for part in parts) for name in _ADDED}
    return CrossCameraIdentityReport(
        window_s=parts[0].window_s,
        **sums,
        kept_share=ratio(sums["kept_count"], sums["tracked_count"]),
        one_identity_share=ratio(sums["one_identity_count"], sums["shared_count"]),
    )


@dataclass(frozen=True)
class _Visits:
    """Times that an object was in the view of a camera, each (V,): the object's number, that of the pair of object and
    camera, the first and the last instant."""

    objects: Int64
    lanes: Int64
    first: Int64
    last: Int64


def evaluate_cross_camera_identity(
    *, matches: GtTrackMatches, timestamps_ns: IntArray, window_s: float = WINDOW_S
) -> CrossCameraIdentityReport:
    """Follow the identities of ``matches`` objects from camera to camera; ``timestamps_ns`` (I,) of all instants."""
    if not len(matches):
        return CrossCameraIdentityReport(window_s)
    times_ns, window_ns = np.asarray(timestamps_ns, np.int64), round(window_s * 1e9)
    objects, cameras = (
        np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)
        for values in (matches.object_ids, matches.cameras)
    )
    lanes = objects * (int(cameras.max()) + 1) + cameras
    instants = np.asarray(matches.instants, np.int64)
    visits = _visits(objects, lanes, instants, times_ns, window_ns)

    def soon(rows: Int64) -> NDArray[np.bool_]:
        """Whether each of ``rows`` (-1: none) comes within the window after its visit."""
        return (rows >= 0) & (times_ns[instants[rows]] - times_ns[visits.last] <= window_ns)

    # After a visit comes no sighting by the same camera within the window: it would belong to the visit.
    is_handover = soon(_first_after(objects, instants, visits.objects, visits.last))
    found = np.flatnonzero(matches.track_ids >= 0)
    before = _at(found, _last_until(lanes[found], instants[found], visits.lanes, visits.last))
    after = _at(found, _first_after(objects[found], instants[found], visits.objects, visits.last))
    tracked = is_handover & (before >= 0) & (instants[before] >= visits.first)
    kept = tracked & soon(after) & (matches.track_ids[after] == matches.track_ids[before])
    lost = tracked & ~soon(after)
    shared_count, one_identity_count = _shared(objects[found], instants[found], matches.track_ids[found])
    return CrossCameraIdentityReport(
        window_s=window_s,
        handover_count=int(is_handover.sum()),
        tracked_count=int(tracked.sum()),
        kept_count=int(kept.sum()),
        changed_count=int((tracked & ~kept & ~lost).sum()),
        lost_count=int(lost.sum()),
        shared_count=shared_count,
        one_identity_count=one_identity_count,
        kept_share=ratio(int(kept.sum()), int(tracked.sum())),
        one_identity_share=ratio(one_identity_count, shared_count),
    )


def _visits(objects: Int64, lanes: Int64, instants: Int64, times_ns: Int64, window_ns: int) -> _Visits:
    """Cut each lane's sightings where nothing is seen for longer than the window."""
    order = np.lexsort((instants, lanes))
    lane, instant = lanes[order], instants[order]
    is_cut = (np.diff(lane) != 0) | (np.diff(times_ns[instant]) > window_ns)
    first = np.flatnonzero(np.r_[True, is_cut][: len(order)])
    last = np.flatnonzero(np.r_[is_cut, True][: len(order)])
    return _Visits(objects=objects[order][first], lanes=lane[first], first=instant[first], last=instant[last])


def _last_until(groups: Int64, instants: Int64, of_groups: Int64, until: Int64) -> Int64:
    """For each of ``of_groups`` the last row of that group at or before ``until``, -1 without one."""
    order, position = _insertion_points(groups, instants, of_groups, until)
    return _if_same(order, position - 1, groups, of_groups)


def _first_after(groups: Int64, instants: Int64, of_groups: Int64, after: Int64) -> Int64:
    """For each of ``of_groups`` the first row of that group later than ``after``, -1 without one."""
    order, position = _insertion_points(groups, instants, of_groups, after)
    return _if_same(order, position, groups, of_groups)


def _insertion_points(groups: Int64, instants: Int64, of_groups: Int64, at: Int64) -> tuple[Int64, Int64]:
    """The order by group and instant, and how many rows come up to (group, instant) in it."""
    span = int(max(instants.max(initial=0), at.max(initial=0))) + 1
    keys = groups * span + instants
    order = np.argsort(keys, kind="stable")
    return order, np.searchsorted(keys[order], of_groups * span + at, side="right")


def _if_same(order: Int64, position: Int64, groups: Int64, of_groups: Int64) -> Int64:
    """The rows at ``position`` in ``order`` where there is one and it is of the wanted group, else -1."""
    if not len(order):
        return np.full(len(position), -1, np.int64)
    rows = order[np.clip(position, 0, len(order) - 1)]
    is_there = (position >= 0) & (position < len(order))
    return np.where(is_there & (groups[rows] == of_groups), rows, -1)


def _at(rows: Int64, position: Int64) -> Int64:
    """``rows[position]``, but -1 where ``position`` is."""
    return np.where(position >= 0, rows[position], -1) if len(rows) else position


def _shared(objects: Int64, instants: Int64, track_ids: IntArray) -> tuple[int, int]:
    """How often an object has tracks in several cameras at once, and how often all of them are one."""
    _, pairs = np.unique(np.stack([objects, instants], axis=1), axis=0, return_inverse=True)
    pairs = pairs.reshape(-1)
    cameras = np.bincount(pairs)
    identities = np.unique(np.stack([pairs, track_ids], axis=1), axis=0)[:, 0]
    is_shared = cameras > 1
    return int(is_shared.sum()), int((is_shared & (np.bincount(identities, minlength=len(cameras)) == 1)).sum())
