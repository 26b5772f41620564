"""How far true objects are: from the truth in metres, else from where their boxes stand on the road."""

from __future__ import annotations

import numpy as np
import pytest
from support.evaluation_tables import table
from support.ground_drive import camera_towards

from perception.evaluation.core.timeline import Timeline
from perception.evaluation.failures.object_distances import foot_distances_m, object_distances_m
from perception.geometry.cameras import Rig
from perception.types import BoxTable, ObjectTable

FRONT = camera_towards("front", 0.0)
RIG = Rig({"front": FRONT})
TIMELINE = Timeline(np.array([0, 100_000_000]), {"front": np.array([0, 1])}, {"front": FRONT.size_px})


def standing_at(*depths_m: float) -> BoxTable:
    """Boxes whose lower edges are seen straight ahead at these depths from the camera, ids from 1."""
    feet_px = FRONT.size_px[1] / 2 + FRONT.intrinsics[1, 1] * FRONT.position_m[2] / np.array(depths_m)
    return table([(0, number, (310, foot - 20, 330, foot)) for number, foot in enumerate(feet_px.tolist(), start=1)])


def objects(*positions: tuple[int, float, float]) -> ObjectTable:
    """Cars at the first instant: id, x, y."""
    rows = np.array(positions)
    count = len(rows)
    return ObjectTable(
        timestamps_ns=np.zeros(count, np.int64),
        ids=rows[:, 0].astype(np.int64),
        labels=np.zeros(count, np.int64),
        scores=np.ones(count),
        centres_m=np.column_stack([rows[:, 1:], np.full(count, 0.8)]),
        sizes_lwh_m=np.tile([4.5, 1.8, 1.5], (count, 1)),
        yaws_rad=np.zeros(count),
        speeds_mps=np.zeros(count),
    )


def test_a_box_stands_where_its_lower_edge_meets_the_road() -> None:
    # The camera sits 1.7 m in front of the vehicle's origin.
    np.testing.assert_allclose(foot_distances_m(standing_at(5.0, 40.0), RIG), [6.7, 41.7])
    higher = Rig({"front": FRONT}, road_height_m=0.75)
    np.testing.assert_allclose(foot_distances_m(standing_at(5.0), higher), [1.7 + 2.5])


def test_what_stands_above_the_horizon_or_in_another_camera_is_not_known() -> None:
    above = table([(0, 1, (310, 100, 330, 150)), (0, 2, (310, 100, 330, 250))], cameras=["front", "back"])
    assert np.isnan(foot_distances_m(above, RIG)).all()


@pytest.mark.parametrize(("rig", "second"), [(None, np.nan), (RIG, 41.7)])
def test_the_truth_in_metres_wins_where_it_has_the_object(rig: Rig | None, second: float) -> None:
    distances_m = object_distances_m(
        standing_at(5.0, 40.0), timeline=TIMELINE, instants=[0], objects=objects((1, 3.0, 4.0)), rig=rig
    )
    np.testing.assert_allclose(distances_m, [5.0, second])


def test_nothing_is_known_without_both() -> None:
    assert object_distances_m(standing_at(5.0), timeline=TIMELINE, instants=[0], objects=None, rig=None) is None
