"""The renderer as a whole: what it shows is what it says it shows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from support.rendering_world import camera, pictures, small_town, users, world
from support.simulators import needs_opengl, why_no_opengl

from perception.errors import UsageError
from perception.geometry.cameras import Rig
from perception.geometry.distortion import undistort
from perception.simulation.rendering import Conditions, ParallelRenderer
from perception.simulation.rendering.renderer import Renderer
from perception.simulation.world import CameraView, RoadUsers

CLEAN = replace(Conditions.named("clear-afternoon"), noise=0.0)


def rig() -> Rig:
    return Rig({"front": camera(), "left": camera("left", yaw_deg=90, size_px=(320, 240), focal_px=200.0)})


@pytest.fixture(scope="module")
def renderer() -> Iterator[ParallelRenderer]:
    if reason := why_no_opengl():
        pytest.skip(reason)
    with ParallelRenderer(small_town(), rig(), seed=3, conditions=CLEAN) as renderer:
        yield renderer


def front(renderer: ParallelRenderer, road_users: RoadUsers, *, time_s: float = 0.0) -> CameraView:
    return pictures(renderer, world(road_users, time_s=time_s))["front"]


def test_every_camera_gives_an_image_of_its_size(renderer: ParallelRenderer) -> None:
    views = pictures(renderer, world(users()))
    assert {name: view.image.shape for name, view in views.items()} == {"front": (360, 640, 3), "left": (240, 320, 3)}
    assert all(view.image.dtype == np.uint8 and len(view.ids) == 0 for view in views.values())
    sky, road = views["front"].image[20:60].mean(axis=(0, 1)), views["front"].image[-40:].mean(axis=(0, 1))
    assert sky[2] > sky[0] and sky.mean() > road.mean()


@pytest.mark.parametrize("body", ["sedan", "bus", "adult", "bicycle"])
def test_an_object_in_the_open_is_wholly_visible_where_the_camera_projects_it(
    renderer: ParallelRenderer, body: str
) -> None:
    view = front(renderer, users((body, 18.0, -1.0, 30.0)))
    assert view.ids.tolist() == [10]
    assert view.visible_shares[0] == pytest.approx(1.0, abs=0.02)
    # The id buffer's box is whole pixels, of which at least half the area is covered.
    assert np.abs(view.full_xyxy_px - view.visible_xyxy_px).max() <= 1.5


@needs_opengl
def test_a_lens_bends_the_picture_and_nothing_else() -> None:
    state = world(users(("bus", 14.0, 3.0, 20.0), ("sedan", 12.0, -3.0, 0.0)))
    bending = replace(camera(), distortion=(-0.2, 0.03, 0.0, 0.0))
    views = []
    for one in (camera(), bending):
        with ParallelRenderer(small_town(), Rig({"front": one}), seed=3, conditions=CLEAN) as other:
            views.append(pictures(other, state)["front"])
    view, bent_view = views
    np.testing.assert_array_equal(bent_view.full_xyxy_px, view.full_xyxy_px)
    inside = (slice(30, -30), slice(50, -50))
    truth = view.image[inside].astype(int)
    straight = np.abs(undistort(bent_view.image, bending)[inside] - truth).mean()
    assert straight < 0.5 * np.abs(bent_view.image[inside] - truth).mean()


def test_masks_are_made_where_they_are_asked_for(renderer: ParallelRenderer) -> None:
    crossing = world(users(("sedan", 18.0, -1.0, 30.0), ("adult", 12.0, 0.5, 0.0)))
    assert all(view.mask is None for view in pictures(renderer, crossing).values())
    with ParallelRenderer(small_town(), rig(), seed=3, conditions=CLEAN, masks=True) as masking:
        views = pictures(masking, crossing)
        view = views["front"]
        assert views["left"].mask is not None and not views["left"].mask.any()
        assert view.mask is not None and view.mask.shape == (360, 640)
        for identity, pixels, box in zip(view.ids, view.visible_pixels, view.visible_xyxy_px, strict=True):
            rows, columns = np.nonzero(view.mask == 1 + identity)
            assert len(rows) == pixels > 0
            assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == box.tolist()
        many = crossing.road_users
        with pytest.raises(UsageError, match=r"^masks: "):
            pictures(masking, replace(crossing, road_users=replace(many, ids=many.ids + 65_530)))


def test_the_full_box_is_that_of_the_body(renderer: ParallelRenderer) -> None:
    box = front(renderer, users(("box-truck", 20.0, 0.0, 0.0))).full_xyxy_px[0]
    pixels, _ = camera().project(np.array([[16.25, 1.25, 3.1], [16.25, -1.25, 3.1]]))
    assert box[[0, 2]] == pytest.approx(pixels[:, 0], abs=2.5)
    assert box[1] == pytest.approx(pixels[0, 1], abs=1.0)


def test_the_share_is_what_is_left_of_the_pixels_seen_without_the_occluder(renderer: ParallelRenderer) -> None:
    alone = front(renderer, users(("bus", 30.0, 1.0, 90.0)))
    both = front(renderer, users(("bus", 30.0, 1.0, 90.0), ("sedan", 14.0, -1.0, 0.0)))
    hidden = both.ids.tolist().index(10)
    assert 0.3 < both.visible_shares[hidden] < 0.95
    expected = both.visible_pixels[hidden] / alone.visible_pixels[0]
    assert both.visible_shares[hidden] == pytest.approx(expected, abs=0.02)
    np.testing.assert_allclose(both.full_xyxy_px[hidden], alone.full_xyxy_px[0])


def test_who_stands_behind_a_bus_is_listed_but_not_seen(renderer: ParallelRenderer) -> None:
    view = front(renderer, users(("bus", 12.0, 0.0, 90.0), ("adult", 20.0, 0.3, 0.0)))
    person = view.ids.tolist().index(11)
    assert view.visible_pixels[person] == 0
    assert view.visible_shares[person] == 0
    assert view.visible_xyxy_px[person].tolist() == [0, 0, 0, 0]
    assert view.full_xyxy_px[person, 3] > view.full_xyxy_px[person, 1] + 20


def test_the_picture_s_border_hides_as_an_occluder_does(renderer: ParallelRenderer) -> None:
    # A bus seen straight from behind whose middle lies on the left border.
    heading = np.degrees(np.arctan2(320, 457))
    view = front(renderer, users(("bus", 25.0, 25.0 * 320 / 457, heading)))
    assert view.visible_shares[0] == pytest.approx(0.5, abs=0.1)
    assert view.full_xyxy_px[0, 0] == view.visible_xyxy_px[0, 0] == 0


def test_what_reaches_behind_the_camera_is_cut_not_lost(renderer: ParallelRenderer) -> None:
    view = front(renderer, users(("bus", 3.0, 3.0, 0.0), ("sedan", -12.0, 0.0, 0.0)))
    assert view.ids.tolist() == [10]
    assert (view.full_xyxy_px[0] >= 0).all() and view.full_xyxy_px[0, 2] <= 640
    assert 0 < view.visible_shares[0] < 0.8


def test_brake_lights_and_indicators_change_the_picture(renderer: ParallelRenderer) -> None:
    calm = users(("sedan", 12.0, 0.0, 0.0))
    x1, y1, x2, y2 = front(renderer, calm).visible_xyxy_px[0].astype(int)
    rear = (slice(y1, y2), slice(x1, x2))
    off = front(renderer, calm).image[rear].astype(int)
    braking = front(renderer, replace(calm, is_braking=np.array([True]))).image[rear].astype(int)
    brighter = (braking[..., 0] - off[..., 0] > 40) & (braking[..., 0] > braking[..., 1] + 60)
    assert brighter.sum() > 60
    left = replace(calm, indicators=np.array([1]))
    shown = [
        (np.abs(front(renderer, left, time_s=t).image[rear].astype(int) - off).max(axis=-1) > 60) for t in (0.0, 1 / 3)
    ]
    lit = max(shown, key=np.sum)
    assert min(mask.sum() for mask in shown) == 0 < lit.sum()
    columns = np.flatnonzero(lit.any(axis=0))
    assert columns.max() < lit.shape[1] / 2


def test_the_light_shows_its_signal(renderer: ParallelRenderer) -> None:
    red, green = (pictures(renderer, world(users(), signals=(s,)))["front"].image.astype(int) for s in ("red", "green"))
    difference = np.abs(red - green).max(axis=-1)
    rows, columns = np.nonzero(difference > 60)
    expected, _ = camera().project(np.array([38.0, -3.6, 3.1]))
    assert len(rows) >= 4
    assert np.hypot(columns.mean() - expected[0], rows.mean() - expected[1]) < 10


def test_walking_moves_the_limbs_and_turning_wheels_move_the_spokes(renderer: ParallelRenderer) -> None:
    for body, moved_m in (("adult", 0.35), ("sedan", 0.2)):
        still = replace(users((body, 7.0, 0.5, 90.0)), speeds_mps=np.array([1.4]))
        later = replace(still, travelled_m=np.array([moved_m]))
        assert (front(renderer, still).image != front(renderer, later).image).any(axis=-1).sum() > 30


@needs_opengl
def test_the_same_input_gives_the_same_pixels_and_the_noise_depends_on_the_frame() -> None:
    state = world(users(("sedan", 15.0, -1.6, 0.0), ("adult", 10.0, 4.0, 90.0)), time_s=0.1)
    conditions = replace(CLEAN, noise=0.02, blur_px=0.6)
    views = []
    for _ in range(2):
        with ParallelRenderer(small_town(), rig().only(["left"]), seed=5, conditions=conditions) as renderer:
            views.append(pictures(renderer, state)["left"])
            other = pictures(renderer, replace(state, time_s=0.2))["left"].image
    np.testing.assert_array_equal(views[0].image, views[1].image)
    np.testing.assert_array_equal(views[0].visible_shares, views[1].visible_shares)
    spread = (views[0].image.astype(float) - other).std()
    assert 0.01 * 255 < spread < 0.08 * 255


def test_without_graphics_a_sentence_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    moderngl = pytest.importorskip("moderngl")

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("libEGL.so not loaded")

    monkeypatch.setattr(moderngl, "create_standalone_context", refuse)
    with pytest.raises(UsageError, match=r"libegl1.*libgl1-mesa-dri"):
        Renderer(small_town(), rig(), seed=0)


def test_without_moderngl_a_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moderngl", None)
    with pytest.raises(UsageError, match=r"perception\[simulation\]"):
        Renderer(small_town(), rig(), seed=0)
