"""Rider and machine are one road user here: one box, with the class of the machine.

Data sets draw them in three ways: ``joined`` as here; ``separate``, a box for the machine and one for the person on it
(COCO); ``machine``, the machine alone while its rider is marked apart (BDD100K). The last two are joined by one rule.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.geometry.boxes import box_areas, intersections_and_unions
from perception.taxonomy import TWO_WHEELED_LABELS

RiderConvention = Literal["joined", "separate", "machine"]

_LEAST_SHARE_INSIDE = 0.15
_FOOT_SHARES = (0.15, 1.08)
"""Where a rider's lowest point is, in heights of the machine below its upper edge; a box may hold the trunk alone."""

_LOWEST_HEAD_SHARE = 0.3
_HEIGHT_RATIOS = (0.35, 2.8)


class Joined(NamedTuple):
    """``boxes_xyxy_px`` (n, 4) of the machines with their riders; ``machine_of`` (m,) the row of the machine that each
    person rides, -1 for those who ride none."""

    boxes_xyxy_px: FloatArray
    machine_of: IntArray


def rider_convention(stated: str) -> RiderConvention:
    """The convention that a label file states, with an explanation behind it or not.

    Raises ``ValueError`` for another word.
    """
    word = stated.split(":")[0].split()[0] if stated.strip() else ""
    for convention in get_args(RiderConvention):
        if word == convention:
            return convention  # type: ignore[no-any-return]
    raise ValueError(f"riders {stated!r}: expected joined, separate or machine")


def join_riders(machines_xyxy_px: FloatArray, persons_xyxy_px: FloatArray) -> Joined:
    """Each person on a machine goes into its box.

    A person (m, 4) rides the machine (n, 4) of which they cover the most, when their middle is over it, 0.15 of them or
    more lies in its box, the upper edge is not below 0.3 of the machine's height, the lower edge is at 0.15 to 1.08 of
    it, and they are 0.35 to 2.8 times as high. A machine may have several riders. Who stands beside a machine at
    the same distance and hides half of it is taken for its rider: boxes alone do not show it.
    """
    machines, persons = np.asarray(machines_xyxy_px, np.float32), np.asarray(persons_xyxy_px, np.float32)
    machine_of = np.full(len(persons), -1)
    boxes = machines.copy()
    if not len(machines) or not len(persons):
        return Joined(boxes, machine_of)
    rides = _may_ride(machines, persons)
    shared = intersections_and_unions(persons[:, None], machines[None])[0] * rides
    for row in np.flatnonzero(rides.any(axis=1)):
        best = int(shared[row].argmax())
        machine_of[row] = best
        boxes[best, :2] = np.minimum(boxes[best, :2], persons[row, :2])
        boxes[best, 2:] = np.maximum(boxes[best, 2:], persons[row, 2:])
    return Joined(boxes, machine_of)


def joined_labels(
    boxes_xyxy_px: FloatArray, labels: IntArray, persons: NDArray[np.bool_]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Boxes (n, 4) in which two-wheelers hold their riders, and which rows (n,) remain: all but the riders.

    ``persons`` (n,) are the rows that may ride.
    """
    machines, riders = np.flatnonzero(np.isin(labels, TWO_WHEELED_LABELS)), np.flatnonzero(persons)
    joined = join_riders(boxes_xyxy_px[machines], boxes_xyxy_px[riders])
    boxes = np.array(boxes_xyxy_px, copy=True)
    boxes[machines] = joined.boxes_xyxy_px
    remains = np.ones(len(labels), bool)
    remains[riders[joined.machine_of >= 0]] = False
    return boxes, remains


def _may_ride(machines: FloatArray, persons: FloatArray) -> NDArray[np.bool_]:
    """(m, n) by the rule of ``join_riders``."""
    height = np.maximum(machines[:, 3] - machines[:, 1], 1e-6)
    person_height = np.maximum(persons[:, 3] - persons[:, 1], 1e-6)[:, None]
    middle = (persons[:, 0] + persons[:, 2])[:, None] / 2
    feet = (persons[:, 3:] - machines[:, 1]) / height
    head = (persons[:, 1:2] - machines[:, 1]) / height
    ratio = person_height / height
    shared, _ = intersections_and_unions(persons[:, None], machines[None])
    inside = shared / np.maximum(box_areas(persons), 1e-6)[:, None]
    return np.asarray(
        (middle > machines[:, 0])
        & (middle < machines[:, 2])
        & (feet > _FOOT_SHARES[0])
        & (feet < _FOOT_SHARES[1])
        & (head < _LOWEST_HEAD_SHARE)
        & (ratio > _HEIGHT_RATIOS[0])
        & (ratio < _HEIGHT_RATIOS[1])
        & (inside > _LEAST_SHARE_INSIDE)
    )
