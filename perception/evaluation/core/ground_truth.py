"""True objects and tracks on the ground at the instants of a run, and which of them count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray, StructOfArrays
from perception.errors import UsageError
from perception.evaluation.core.gt_interpolation import GtPaths
from perception.evaluation.core.table_boxes import check_thresholds, counts_in_image
from perception.evaluation.core.timeline import Timeline
from perception.taxonomy import CLASSES
from perception.types import BoxTable, ObjectTable

MAX_GAP_S = 0.75
"""Labels two per second, as nuScenes has them, still make a path."""

_USUAL_PERIOD_S = 0.1

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class GroundScope:
    """Which true objects count: those that at least one camera sees well enough at that instant, and that are near.

    ``min_visible_share`` 0..1 and ``min_height_px`` are of the object's box in that camera, ``max_distance_m`` from
    the recording car's origin to the object's centre. The others are ignored.
    """

    min_visible_share: float = 0.5
    min_height_px: float = 0.0
    max_distance_m: float = 60.0

    def __post_init__(self) -> None:
        check_thresholds(min_height_px=self.min_height_px, min_visible_share=self.min_visible_share)
        if not self.max_distance_m > 0:
            raise UsageError(f"The greatest distance is {self.max_distance_m} m: choose a positive number.")


@dataclass(frozen=True)
class GroundTable(StructOfArrays):
    """Objects or tracks on the ground, M rows: one for each of them and instant.

    ``instants`` (M,) of the recording, ``ids`` and ``labels`` (M,), ``positions_m`` (M, 2) of the centre in the world,
    ``vehicle_m`` (M, 2) where the recording car is at that instant (NaN where unknown), ``counts`` (M,);
    ``object_rows`` (M,) of the ``ObjectTable`` that they come from.
    """

    instants: IntArray
    ids: IntArray
    labels: IntArray
    positions_m: FloatArray
    vehicle_m: FloatArray
    counts: NDArray[np.bool_]
    object_rows: IntArray

    @property
    def distances_m(self) -> Float64:
        """(M,) from the recording car; NaN where its pose is not known."""
        distances_m: Float64 = np.linalg.norm(self.positions_m - self.vehicle_m, axis=1)
        return distances_m

    def rows_of(self, *, instants: IntArray, ids: IntArray) -> NDArray[np.int64]:
        """(N,) the row with each (instant, id), -1 where there is none."""
        if not len(self):
            return np.full(len(ids), -1, np.int64)
        order, keys, wanted = _joined_keys(self.instants, self.ids, instants, ids)
        index = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[index] == wanted, order[index], -1)


def vehicle_positions_m(timeline: Timeline) -> Float64:
    """(I, 2) where the recording car is at each instant, NaN where its pose is not known.

    Without any pose the world is the vehicle's own frame, as it is for the tracker: zeros.
    """
    poses = timeline.vehicle_poses
    positions = np.full((len(timeline.timestamps_ns), 2), np.nan if poses else 0.0)
    if poses:
        positions[list(poses)] = [pose[:2, 3] for pose in poses.values()]
    return positions


def true_objects(
    *,
    objects: ObjectTable,
    truth: BoxTable,
    timeline: Timeline,
    instants: Sequence[int],
    scope: GroundScope,
) -> GroundTable:
    """The true objects at ``instants``, moved along their paths to exactly those times.

    ``truth`` has their boxes in the cameras, under the same ids. Raises ``UsageError`` when no object has a time of
    the recording, and for labels that are no classes.
    """
    check_labels(objects)
    rows, at = _rows_at(objects, timeline.timestamps_ns, np.asarray(instants, np.int64))
    if len(objects) and len(instants) and not len(rows):
        raise UsageError(
            "The ground truth of objects in the world has none at any time of the run: "
            "evaluate with the ground truth of this recording."
        )
    futures, vehicle_m = paths_of(objects), vehicle_positions_m(timeline)
    exact = futures.centres_at(objects=futures.object_of_row[rows], timestamps_ns=timeline.timestamps_ns[at][:, None])
    positions = np.where(np.isnan(exact[:, 0]), objects.centres_m[rows, :2], exact[:, 0])
    table = GroundTable(
        instants=at,
        ids=objects.ids[rows],
        labels=objects.labels[rows],
        positions_m=positions,
        vehicle_m=vehicle_m[at],
        counts=np.ones(len(rows), bool),
        object_rows=rows,
    )
    boxes_at = timeline.instants_of(truth)
    is_seen = boxes_at >= 0
    is_seen &= counts_in_image(truth, min_height_px=scope.min_height_px, min_visible_share=scope.min_visible_share)
    counts = _among(table.instants, table.ids, boxes_at[is_seen], truth.ids[is_seen])
    table.counts[:] = counts & (table.distances_m <= scope.max_distance_m)
    return table


def tracked_objects(*, objects: ObjectTable, timeline: Timeline, scope: GroundScope) -> GroundTable:
    """The tracks of a run at its instants; those further away than the scope count only on an object that does.

    Raises ``UsageError`` when a track has a time that the recording does not have.
    """
    check_labels(objects)
    last = max(len(timeline.timestamps_ns) - 1, 0)
    at = np.clip(np.searchsorted(timeline.timestamps_ns, objects.timestamps_ns), 0, last)
    if len(objects) and (timeline.timestamps_ns[at] != objects.timestamps_ns).any():
        raise UsageError(
            "The tracks have times that the recording does not have: "
            "evaluate with the recording that the run was made on."
        )
    table = GroundTable(
        instants=at,
        ids=objects.ids,
        labels=objects.labels,
        positions_m=objects.centres_m[:, :2].astype(np.float64),
        vehicle_m=vehicle_positions_m(timeline)[at],
        counts=np.ones(len(at), bool),
        object_rows=np.arange(len(at)),
    )
    table.counts[:] = table.distances_m <= scope.max_distance_m
    return table


def paths_of(objects: ObjectTable) -> GtPaths:
    """Where each of ``objects`` is at any time, in metres in the world."""
    _, numbers = np.unique(objects.ids, return_inverse=True)
    return GtPaths.from_paths(
        objects=numbers.reshape(-1),
        timestamps_ns=objects.timestamps_ns,
        centres=objects.centres_m[:, :2].astype(np.float64),
        max_gap_s=MAX_GAP_S,
    )


def check_labels(objects: ObjectTable) -> None:
    """Raise ``UsageError`` when a label is no index into ``CLASSES``."""
    wrong = (objects.labels < 0) | (objects.labels >= len(CLASSES))
    if wrong.any():
        raise UsageError(
            f"An object in the world has label {objects.labels[wrong][0]}: "
            f"map its classes to 0..{len(CLASSES) - 1} ({', '.join(CLASSES)})."
        )


def _rows_at(
    objects: ObjectTable, timestamps_ns: NDArray[np.int64], instants: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of ``objects`` at the labelled time that is nearest to each instant, and the instants (both (M,)).

    An instant further than half a period from any labelled time has none.
    """
    times_ns, time_of_row = np.unique(objects.timestamps_ns, return_inverse=True)
    if not len(times_ns) or not len(instants):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    wanted = timestamps_ns[instants]
    after = np.clip(np.searchsorted(times_ns, wanted), 0, len(times_ns) - 1)
    before = np.maximum(after - 1, 0)
    is_before = np.abs(times_ns[before] - wanted) < np.abs(times_ns[after] - wanted)
    nearest = np.where(is_before, before, after)
    period_ns = float(np.median(np.diff(times_ns))) if len(times_ns) > 1 else 1e9 * _USUAL_PERIOD_S
    is_near = np.abs(times_ns[nearest] - wanted) <= 0.5 * period_ns
    order = np.argsort(time_of_row.reshape(-1), kind="stable")
    starts = np.searchsorted(time_of_row.reshape(-1)[order], np.arange(len(times_ns) + 1))
    picked, kept = nearest[is_near], instants[is_near]
    sizes = starts[picked + 1] - starts[picked]
    offsets = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order[np.repeat(starts[picked], sizes) + offsets], np.repeat(kept, sizes)


def _among(instants: IntArray, ids: IntArray, among_instants: IntArray, among_ids: IntArray) -> NDArray[np.bool_]:
    """(M,) True where (instant, id) is one of the pairs of the other two."""
    if not len(among_ids):
        return np.zeros(len(ids), bool)
    _, keys, wanted = _joined_keys(among_instants, among_ids, instants, ids)
    return np.isin(wanted, keys)


def _joined_keys(
    instants: IntArray, ids: IntArray, wanted_instants: IntArray, wanted_ids: IntArray
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """One integer for each pair: the order that sorts the first ones, these sorted, and the wanted ones."""
    _, numbers = np.unique(np.r_[ids, wanted_ids], return_inverse=True)
    span = int(numbers.max(initial=0)) + 1
    keys = np.r_[instants, wanted_instants].astype(np.int64) * span + numbers.reshape(-1)
    own = keys[: len(ids)]
    order = np.argsort(own, kind="stable")
    return order, own[order], keys[len(ids) :]
