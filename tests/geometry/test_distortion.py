"""Lens distortion: undistorted images are a pinhole's, and distorting inverts it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from perception.geometry.cameras import Camera, DistortionModel
from perception.geometry.distortion import distort, undistort

FORWARD = np.array([[0, 0, 1, 2.0], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]])
SIZE_PX = (320, 192)
BARREL = (-0.25, 0.05, 0.002, -0.001, 0.0)
RATIONAL = (-0.3, 0.1, 0, 0, 0.01, 0.02, 0.01, 0.001)
THIN_PRISM = (*BARREL, 0.0, 0.0, 0.0, 0.01, 0.002, -0.008, 0.001)
TILTED = (*THIN_PRISM, 0.03, -0.02)
FISHEYE = (-0.02, 0.004, -0.001, 0.0002)


def camera(*distortion: float, model: DistortionModel = "opencv") -> Camera:
    intrinsics = np.array([[230.0, 0, 163.5], [0, 228, 95.25], [0, 0, 1]])
    return Camera("front", SIZE_PX, intrinsics, FORWARD, tuple(distortion), model)


def dots(positions_px: np.ndarray) -> np.ndarray:
    """White dots, drawn to a sixteenth of a pixel."""
    image = np.zeros((SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
    for x, y in positions_px:
        cv2.circle(image, (round(16 * (x - 0.5)), round(16 * (y - 0.5))), 3 * 16, (255,) * 3, -1, cv2.LINE_AA, 4)
    return image


def centres(image: np.ndarray) -> np.ndarray:
    """Of the bright spots, from left to right, weighted by their light."""
    _, parts = cv2.connectedComponents((image[..., 0] > 40).astype(np.uint8))
    ys, xs = np.indices(parts.shape)
    found = []
    for part in range(1, parts.max() + 1):
        light = np.where(parts == part, image[..., 0], 0).astype(float)
        found.append([(light * (xs + 0.5)).sum() / light.sum(), (light * (ys + 0.5)).sum() / light.sum()])
    return np.array(sorted(found))


@pytest.mark.parametrize(
    ("distortion", "model"),
    [
        (BARREL, "opencv"),
        (RATIONAL, "opencv"),
        (THIN_PRISM, "opencv"),
        (TILTED, "opencv"),
        ((*RATIONAL, *(0,) * 6), "opencv"),
        (FISHEYE, "fisheye"),
    ],
)
def test_a_dot_lies_where_the_pinhole_sees_its_point(distortion: tuple[float, ...], model: DistortionModel) -> None:
    bending = camera(*distortion, model=model)
    points_m = np.array([[12.0, 5.0, 3.0], [12, 1, 0.5], [12, -2, 3.2], [12, -4.5, 0]])  # from left to right
    pinhole_px, _ = bending.project(points_m)
    in_camera = points_m @ bending.camera_from_vehicle[:3, :3].T + bending.camera_from_vehicle[:3, 3]
    project = cv2.fisheye.projectPoints if model == "fisheye" else cv2.projectPoints
    taken, _ = project(in_camera[:, None], np.zeros(3), np.zeros(3), bending.intrinsics, np.array(distortion))
    taken_px = taken.reshape(-1, 2)
    assert np.abs(taken_px - pinhole_px).max() > 4
    np.testing.assert_allclose(centres(undistort(dots(taken_px), bending)), pinhole_px, atol=0.15)
    np.testing.assert_allclose(centres(distort(dots(pinhole_px), bending)), taken_px, atol=0.15)


@pytest.mark.parametrize(
    ("distortion", "model"),
    [
        (BARREL, "opencv"),
        ((0.12, 0.01, 0.0, 0.0), "opencv"),
        (RATIONAL, "opencv"),
        (TILTED, "opencv"),
        (FISHEYE, "fisheye"),
    ],
)
def test_distort_and_undistort_is_the_image_again(distortion: tuple[float, ...], model: DistortionModel) -> None:
    smooth = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (192, 320, 3), dtype=np.uint8), (0, 0), 6)
    smooth = cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)
    bending = camera(*distortion, model=model)
    again = undistort(distort(smooth, bending), bending)
    inside = (slice(24, -24), slice(40, -40))
    lost, changed = (
        np.abs(picture[inside].astype(int) - smooth[inside]).mean() for picture in (again, distort(smooth, bending))
    )
    assert lost < 1.5 and changed > 2 * lost


def test_without_distortion_nothing_is_touched() -> None:
    image = np.zeros((192, 320, 3), np.uint8)
    assert undistort(image, camera()) is image and distort(image, camera()) is image


def test_a_resized_camera_bends_the_same() -> None:
    half = camera(*BARREL).resized((160, 96))
    assert half.distortion == BARREL
    whole_px = np.array([[40.0, 30], [250, 160]])
    small = dots(whole_px)
    expected = centres(undistort(small, camera(*BARREL))) / 2
    found = centres(undistort(cv2.resize(small, (160, 96), interpolation=cv2.INTER_AREA), half))
    np.testing.assert_allclose(found, expected, atol=0.3)


@pytest.mark.parametrize(
    ("distortion", "fault"),
    [
        ((0.1,), "expected 4, 5, 8, 12 or 14 finite numbers of the model opencv, got 1"),
        ((0.1,) * 13, "expected 4, 5, 8, 12 or 14"),
        ((0.1, np.nan, 0, 0), "finite"),
        ((-0.9, 0, 0, 0), "folds the picture"),
    ],
)
def test_what_no_lens_does_is_refused(distortion: tuple[float, ...], fault: str) -> None:
    with pytest.raises(ValueError, match=f"distortion: .*{fault}"):
        replace(camera(), distortion=distortion)


@pytest.mark.parametrize(
    ("distortion", "fault"),
    [
        ((), "expected 4 finite numbers of the model fisheye, got 0"),
        (BARREL, "expected 4 finite numbers of the model fisheye, got 5"),
        ((-0.9, 0, 0, 0), "folds the picture"),
    ],
)
def test_what_no_fisheye_does_is_refused(distortion: tuple[float, ...], fault: str) -> None:
    with pytest.raises(ValueError, match=f"distortion: .*{fault}"):
        camera(*distortion, model="fisheye")


def test_a_fisheye_of_half_a_turn_is_undistorted_and_distorted() -> None:
    intrinsics = np.array([[100.0, 0, 160], [0, 100, 96], [0, 0, 1]])
    wide = Camera("front", SIZE_PX, intrinsics, FORWARD, (0.0, 0.0, 0.0, 0.0), "fisheye")
    image = dots(np.array([[160.0, 96], [160 + 100 * np.pi / 4, 96]]))
    np.testing.assert_allclose(centres(undistort(image, wide)), [[160, 96], [260, 96]], atol=0.6)
    assert distort(np.full_like(image, 255), wide)[:, [0, -1]].max() == 0
