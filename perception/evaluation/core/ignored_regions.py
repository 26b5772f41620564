"""What lies in regions to ignore, by the rules of COCO's crowds, KITTI's DontCare and MOTChallenge's distractors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.evaluation.core.pairs import image_numbers, pairs_of_groups
from perception.evaluation.core.run_tables import join_tables
from perception.geometry.boxes import box_areas, intersections_and_unions
from perception.types import BoxTable, IgnoredRegions

INSIDE_SHARE = 0.5
"""A box lies in a region when so much of its own area does."""


def lies_inside(table: BoxTable, ignored: IgnoredRegions) -> NDArray[np.bool_]:
    """(M,) True for the boxes of which half or more lies in one region of their image; classes are not looked at.

    Boxes around single objects (``is_object``) are no regions.
    """
    regions = ignored[~ignored.is_object]
    is_inside = np.zeros(len(table), bool)
    if len(regions):
        for rows, of in pairs_of_groups(*image_numbers(table, regions)):
            shares = shares_of_pairs(table.boxes_xyxy_px[rows], regions.boxes_xyxy_px[of])
            is_inside[rows[shares >= INSIDE_SHARE]] = True
    return is_inside


def shares_of_pairs(boxes_xyxy_px: FloatArray, regions_xyxy_px: FloatArray) -> NDArray[np.float64]:
    """(P,) the share 0..1 of each box (P, 4) that lies in its region (P, 4); 0 for a box without area."""
    shared, _ = intersections_and_unions(boxes_xyxy_px, regions_xyxy_px)
    areas = box_areas(boxes_xyxy_px)
    return np.asarray(shared / np.where(areas > 0, areas, 1.0))


def with_ignored_objects(truth: BoxTable, ignored: IgnoredRegions) -> BoxTable:
    """``truth`` with the single objects of ``ignored`` as further rows behind its own, for matching alone."""
    objects = ignored[ignored.is_object]
    count = len(objects)
    if not count:
        return truth
    rows = BoxTable(
        frame_indices=objects.frame_indices,
        ids=np.full(count, -1, np.int64),
        labels=objects.labels,
        scores=np.ones(count),
        boxes_xyxy_px=objects.boxes_xyxy_px,
        cameras=objects.cameras,
    )
    return join_tables([truth, rows])
