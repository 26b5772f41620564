"""Pictures of a turning camera give its rotation; what moves by itself and what belongs to the picture do not count."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from support.turning_camera import SIZE_PX, front_camera, texture, turned_picture

from perception.egomotion import FlowEgoMotion, PoseEgoMotion
from perception.files import bundled
from perception.geometry.cameras import Rig
from perception.geometry.rotation import rotation_matrix, rotation_vector
from perception.sources import open_source
from perception.types import Detections, EgoMotion, Frame, FrameSet

RIG = Rig({"front": front_camera()})
TURN_RAD = np.deg2rad([0.0, 1.0, 0.0])


def instant(image: np.ndarray, index: int, *, time_s: float | None = None) -> FrameSet:
    time_ns = int(1e9 * (index / 10 if time_s is None else time_s))
    return FrameSet((Frame(image, "front", time_ns, index),), time_ns, index)


def turning(count: int) -> list[np.ndarray]:
    return [turned_picture(texture(), rotation_matrix(k * TURN_RAD)) for k in range(count)]


def boxes(*corners: tuple[float, float, float, float]) -> dict[str, Detections]:
    count = len(corners)
    return {
        "front": Detections(
            boxes_xyxy_px=np.array(corners, np.float32),
            scores=np.full(count, 0.9, np.float32),
            labels=np.zeros(count, np.int64),
            features=np.zeros((count, 0), np.float32),
            camera="front",
            image_size_px=SIZE_PX,
        )
    }


def estimated(
    images: list[np.ndarray], detections: dict[str, Detections] | None = None, rig: Rig | None = RIG
) -> list[EgoMotion | None]:
    estimator = FlowEgoMotion(rig)
    return [estimator.update(instant(image, k), detections or {}).get("front") for k, image in enumerate(images)]


def test_the_yaw_rate_of_a_rendered_drive_is_right_to_half_a_degree_per_second() -> None:
    source = open_source([str(bundled("data/recording"))])
    assert source.rig is not None
    flow, poses, errors = FlowEgoMotion(source.rig), PoseEgoMotion(source.rig), []
    for frame_set in islice(source, 8):
        found, true = flow.update(frame_set, {}), poses.update(frame_set, {})
        for name, motion in found.items():
            wrong = rotation_vector(motion.now_from_before @ true[name].now_from_before.T)
            errors.append(np.rad2deg(abs(wrong[1])) / motion.dt_s)
    source.close()
    assert len(errors) > 30
    assert np.median(errors) < 0.5


def test_the_first_frame_is_unknown_and_the_next_ones_turn_as_the_camera_does() -> None:
    first, *others = estimated(turning(4))
    assert first is None
    for motion in others:
        assert motion is not None and motion.dt_s == pytest.approx(0.1) and not motion.from_poses
        np.testing.assert_allclose(rotation_vector(motion.now_from_before), TURN_RAD, atol=3e-4)
        np.testing.assert_array_equal(motion.camera_matrix, RIG.cameras["front"].intrinsics)


def test_a_camera_without_calibration_has_an_assumed_lens_and_predicts_the_same_pixels() -> None:
    _, motion = estimated(turning(2), rig=None)
    assert motion is not None
    focal_px = motion.camera_matrix[0, 0]
    assert 2 * np.arctan(320 / focal_px) == pytest.approx(np.deg2rad(65))
    shift_px = focal_px * rotation_vector(motion.now_from_before)[1]
    assert shift_px == pytest.approx(457 * TURN_RAD[1], rel=0.03)


def test_pictures_of_a_standing_camera_do_not_turn() -> None:
    _, motion = estimated([texture(), texture()])
    assert motion is not None and motion.direction is None and motion.speed_mps is None
    np.testing.assert_array_equal(motion.now_from_before, np.eye(3))


def test_detected_road_users_do_not_count() -> None:
    """A lorry that fills more than half of the picture drives past a standing camera."""
    lorry = (100, 60, 560, 340)
    images = []
    for shift in (0, 12):
        image = texture()
        image[60:340, 100:560] = texture(7)[60:340, 100 + shift : 560 + shift]
        images.append(image)
    _, motion = estimated(images, boxes(lorry))
    assert motion is not None
    np.testing.assert_array_equal(motion.now_from_before, np.eye(3))


def test_a_picture_full_of_road_users_is_unknown() -> None:
    assert estimated(turning(2), boxes((-10, -10, 650, 370))) == [None, None]


def test_a_bonnet_is_learned_and_does_not_hold_the_camera() -> None:
    images = turning(16)
    for image in images:
        image[240:] = texture(3)[240:]
    motions = estimated(images)
    last = motions[-1]
    assert last is not None
    np.testing.assert_allclose(rotation_vector(last.now_from_before), TURN_RAD, atol=4e-4)


def test_a_cut_a_change_of_size_and_a_long_gap_are_unknown() -> None:
    estimator = FlowEgoMotion(None)
    estimator.update(instant(texture(), 0), {})
    assert estimator.update(instant(texture(1), 1), {}) == {}
    assert estimator.update(instant(texture(1)[:, :480], 2), {}) == {}
    assert estimator.update(instant(texture(1)[:, :480], 3, time_s=9.0), {}) == {}
    assert "front" in estimator.update(instant(texture(1)[:, :480], 4, time_s=9.1), {})


def test_dark_pictures_are_unknown() -> None:
    noise = np.random.default_rng(0)
    dark = [noise.integers(0, 6, (360, 640, 3)).astype(np.uint8) for _ in range(3)]
    assert estimated(dark) == [None, None, None]


def test_a_camera_that_misses_an_instant_is_measured_from_its_last_frame() -> None:
    estimator = FlowEgoMotion(RIG)
    images = turning(3)
    estimator.update(instant(images[0], 0), {})
    assert estimator.update(FrameSet((), 100_000_000, 1), {}) == {}
    motion = estimator.update(instant(images[2], 2), {})["front"]
    assert motion.dt_s == pytest.approx(0.2)
    np.testing.assert_allclose(rotation_vector(motion.now_from_before), 2 * TURN_RAD, atol=4e-4)


def test_time_that_stands_still_is_unknown_and_reset_forgets() -> None:
    estimator = FlowEgoMotion(RIG)
    estimator.update(instant(texture(), 0), {})
    assert estimator.update(instant(texture(), 0), {}) == {}
    estimator.reset()
    assert estimator.update(instant(texture(), 1), {}) == {}
