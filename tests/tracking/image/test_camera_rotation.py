"""A turning camera carries its tracks along; what stands keeps its id and has no rate."""

from __future__ import annotations

import numpy as np
import pytest
from support.turning_camera import MATRIX, SIZE_PX, turned_boxes

from perception.arrays import FloatArray
from perception.geometry.boxes import normalized_cxcywh
from perception.geometry.rotation import rotation_matrix
from perception.state_layout import MEASURED, POSITION, VELOCITY
from perception.tracking import ImageTracker
from perception.tracking.image.camera_rotation import turn_states
from perception.types import Detections, EgoMotion, Tracks

BOXES = np.array([[100.0, 150.0, 160.0, 200.0], [300.0, 160.0, 330.0, 190.0], [470.0, 120.0, 600.0, 260.0]])
DT_S = 0.1


def motion(turn_deg: list[float], *, std_deg: float = 0.01) -> EgoMotion:
    return EgoMotion(
        dt_s=DT_S,
        now_from_before=rotation_matrix(np.deg2rad(turn_deg)),
        rotation_stds_rad=np.full(3, np.deg2rad(std_deg)),
        camera_matrix=MATRIX,
        image_size_px=SIZE_PX,
    )


def states(boxes_xyxy_px: FloatArray) -> tuple[FloatArray, FloatArray]:
    count = len(boxes_xyxy_px)
    sizes_px = np.tile(SIZE_PX, (count, 1))
    means = np.concatenate([normalized_cxcywh(boxes_xyxy_px, sizes_px), np.full((count, 4), 0.1)], axis=1)
    return means, np.tile(np.diag(np.linspace(1, 2, 8)) * 1e-4, (count, 1, 1))


def detections(boxes_xyxy_px: FloatArray) -> Detections:
    count = len(boxes_xyxy_px)
    return Detections(
        boxes_xyxy_px=boxes_xyxy_px,
        scores=np.full(count, 0.9, np.float32),
        labels=np.zeros(count, np.int64),
        features=np.zeros((count, 0), np.float32),
        camera="front",
        image_size_px=SIZE_PX,
    )


def test_centres_and_sizes_are_those_of_the_turned_boxes() -> None:
    turn = motion([0.3, 2.0, 0.0])
    means, _ = turn_states(*states(BOXES), turn)
    expected = normalized_cxcywh(turned_boxes(BOXES, turn.now_from_before), np.tile(SIZE_PX, (3, 1)))
    np.testing.assert_allclose(means[:, MEASURED], expected, atol=3e-3)


def test_turning_there_and_back_changes_nothing() -> None:
    before = states(BOXES)
    there, back = motion([0.5, 3.0, 1.0], std_deg=0), motion([0, 0, 0], std_deg=0)
    inverse = EgoMotion(
        dt_s=DT_S,
        now_from_before=there.now_from_before.T,
        rotation_stds_rad=np.zeros(3),
        camera_matrix=MATRIX,
        image_size_px=SIZE_PX,
    )
    means, covariances = turn_states(*turn_states(*before, there), inverse)
    np.testing.assert_allclose(means[:, POSITION], before[0][:, POSITION], atol=1e-9)
    np.testing.assert_allclose(means[:, VELOCITY], before[0][:, VELOCITY], rtol=1e-6)
    np.testing.assert_allclose(covariances[:, POSITION, POSITION], before[1][:, POSITION, POSITION], atol=1e-9)
    for now, then in zip(turn_states(*before, back), before, strict=True):
        np.testing.assert_allclose(now, then, atol=1e-12)


def test_an_uncertain_rotation_makes_positions_uncertain_and_nothing_else() -> None:
    means, covariances = states(BOXES)
    _, spread = turn_states(means, covariances, motion([0, 0, 0], std_deg=1.0))
    added = spread - covariances
    centre_std_px = np.sqrt(added[1, 0, 0]) * SIZE_PX[0]
    assert centre_std_px == pytest.approx(MATRIX[0, 0] * np.deg2rad(1), rel=0.05)
    added[:, POSITION, POSITION] = 0
    np.testing.assert_allclose(added, 0, atol=1e-15)


def test_pictures_that_are_scaled_have_the_same_states() -> None:
    turn = motion([0.3, 2.0, 0.5])
    halved = EgoMotion(
        dt_s=DT_S,
        now_from_before=turn.now_from_before,
        rotation_stds_rad=turn.rotation_stds_rad,
        camera_matrix=np.diag([0.5, 0.5, 1.0]) @ MATRIX,
        image_size_px=(320, 180),
    )
    for one, other in zip(turn_states(*states(BOXES), turn), turn_states(*states(BOXES), halved), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def follow(rate_degps: float, *, known: bool) -> list[Tracks]:
    """A camera that swings to and fro, ten frames per second, and looks at objects that stand."""
    tracker, found = ImageTracker(), []
    for k in range(40):
        angles = [rate_degps * np.abs((j * DT_S) % 1.0 - 0.5) for j in (k - 1, k)]
        now = rotation_matrix(np.deg2rad([0.0, angles[1], 0.0]))
        step = motion([0.0, angles[1] - angles[0], 0.0])
        found.append(
            tracker.update(
                [detections(turned_boxes(BOXES, now))], round(1e8 * k), None, {"front": step} if known and k else None
            )
        )
    return found


def test_standing_objects_before_a_turning_camera_keep_their_ids_and_have_no_rate() -> None:
    rate_degps = 40.0
    tracks = follow(rate_degps, known=True)
    assert {tuple(sorted(one.ids.tolist())) for one in tracks} == {(1, 2, 3)}
    swept = MATRIX[0, 0] * np.deg2rad(rate_degps) / SIZE_PX[0]
    rates = np.abs(np.concatenate([one.velocities[:, 0] for one in tracks[10:]]))
    assert rates.max() < 0.1 * swept
    unknowing = np.concatenate([np.abs(one.velocities[:, 0]) for one in follow(rate_degps, known=False)[10:]])
    assert np.median(unknowing) > 0.3 * swept


def test_only_the_camera_that_turned_carries_its_tracks() -> None:
    tracker = ImageTracker()
    tracker.update([detections(BOXES)], 0)
    tracks = tracker.update([], 100_000_000, None, {"back": motion([0, 5, 0])})
    np.testing.assert_allclose(tracks.boxes_xyxy_px, BOXES, atol=1)
