"""The renderer's parts that need no graphics: meshes, plane figures, projection, places of houses, appearance_seeds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rendering_world import camera, small_town

from perception.errors import UsageError
from perception.geometry.cameras import Camera
from perception.simulation.rendering import Conditions
from perception.simulation.rendering.culling.outlines import OutlineTable
from perception.simulation.rendering.culling.viewing import (
    clip_from_camera,
    commands,
    in_picture,
    shadow_matrix,
    view_of,
)
from perception.simulation.rendering.culling.visibility import ATLAS_PX, shown_boxes, tiles_for
from perception.simulation.rendering.instances import hashed, pedalling, walking
from perception.simulation.rendering.shapes.materials import palette
from perception.simulation.rendering.shapes.mesh import Patch, blob, box, build, lathe, simplified, tube
from perception.simulation.rendering.shapes.models import ModelLibrary, empty_instances, model_library
from perception.simulation.rendering.shapes.people import BRACKET, CRANK_M, SADDLE_HIP, SHIN_M, THIGH_M
from perception.simulation.rendering.sky import SKY_EDGE, fractal_noise, sky_picture
from perception.simulation.rendering.town.facades import facade_pictures
from perception.simulation.rendering.town.ground import detail_triangles, ground_triangles, surface_map
from perception.simulation.rendering.town.polygons import leftwards, piece, strip, triangulated
from perception.simulation.rendering.town.scenery import footprint_m, furnish
from perception.simulation.world import BODIES


def volume(corners: np.ndarray) -> float:
    return float(np.einsum("nk,nk->n", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6)


def area(triangles: np.ndarray) -> float:
    a, b = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return float(0.5 * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum())


@pytest.fixture(scope="module")
def library() -> ModelLibrary:
    return model_library({30, 50})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (box((1, 2, 3), (2, 3, 4)), 24.0),
        (tube((0, 0, 0), (0, 0, 2), 1.0, 1.0, 64), 2 * np.pi),
        (tube((0, 0, 0), (3, 1, 2), 0.5, 0.5, 64), np.sqrt(14) * np.pi / 4),
        (blob((5, 0, 0), (1, 2, 3), 32, 48), 8 * np.pi),
        (lathe([(1, 0), (1, 1)], 64), np.pi),
    ],
)
def test_bodies_are_closed_and_face_outwards(body: np.ndarray, expected: float) -> None:
    assert volume(body) == pytest.approx(expected, rel=0.02)


def test_a_bevelled_box_keeps_its_size() -> None:
    body = box((0, 0, 0), (2, 1, 0.5), 0.1)
    assert np.ptp(body.reshape(-1, 3), axis=0) == pytest.approx([2, 1, 0.5])
    assert 0.85 < volume(body) < 1.0


def test_creases_stay_sharp_and_round_bodies_smooth() -> None:
    sharp = build([Patch(box((0, 0, 0), (1, 1, 1)), 0)])
    assert np.abs(sharp.vertices["normal"]).max(axis=1) == pytest.approx(1.0)
    ball = build([Patch(blob((0, 0, 0), (1, 1, 1), 16, 24), 0)])
    outwards = ball.vertices["position"] / np.linalg.norm(ball.vertices["position"], axis=1, keepdims=True)
    assert (ball.vertices["normal"] * outwards).sum(axis=1).min() > 0.97


def test_simplified_bodies_have_fewer_triangles_and_about_the_same_size() -> None:
    fine = Patch(box((0, 0, 0), (2, 1, 1), 0.05), 0)
    coarse = simplified(fine, 0.2)
    assert len(coarse.corners_m) <= len(fine.corners_m) / 2
    assert np.ptp(coarse.corners_m.reshape(-1, 3), axis=0) == pytest.approx([2, 1, 1], abs=0.1)
    pole = Patch(tube((0, 0, 0), (0, 0, 5), 0.03, 0.03, 6), 0)
    assert len(simplified(pole, 0.5).corners_m) == len(pole.corners_m)


def test_every_body_has_a_model_that_stands_on_the_road(library: ModelLibrary) -> None:
    assert set(BODIES) <= set(library.names)
    assert library.names[: len(BODIES)] == BODIES
    for name in BODIES:
        model = library.models[name]
        counts = library.draws[list(model.meshes), 0]
        assert counts[0] > counts[1] > counts[2] > 0, name
        _, _, first = library.draws[model.meshes[0]]
        end = library.draws[model.meshes[1], 2]
        assert library.vertices["position"][first:end, 2].min() == pytest.approx(0, abs=0.08), name


def test_vehicles_have_brake_lights_behind_and_indicators_on_both_sides(library: ModelLibrary) -> None:
    for name in BODIES[:11]:
        lamps = [(slot, place) for slot, place in library.models[name].lamps]
        assert any(slot == 16 and place[0] < 0 for slot, place in lamps), name
        assert any(slot == 17 and place[1] > 0 for slot, place in lamps), name
        assert any(slot == 18 and place[1] < 0 for slot, place in lamps), name


def test_the_outline_spans_the_mesh(library: ModelLibrary) -> None:
    for name in ("sedan", "adult", "bus"):
        model = library.models[name]
        first, end = library.draws[list(model.meshes[:2]), 2]
        whole, few = library.vertices["position"][first:end], model.outline.vertices["position"]
        assert np.ptp(few, axis=0) == pytest.approx(np.ptp(whole, axis=0), abs=0.02)
        assert len(few) < len(whole) / 3


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.3, 3.0), min_size=3, max_size=14), st.booleans())
def test_triangles_fill_any_star_shaped_polygon(radii: list[float], is_clockwise: bool) -> None:
    turn = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    polygon = np.array(radii)[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    x, y = polygon.T
    expected = 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))
    triangles = triangulated(polygon[::-1] if is_clockwise else polygon)
    assert len(triangles) == len(radii) - 2
    assert area(triangles) == pytest.approx(expected, rel=1e-6)
    assert np.abs(area(triangles)) == pytest.approx(sum(abs(area(t[None])) for t in triangles), rel=1e-6)


def test_lines_are_moved_and_cut() -> None:
    corner = np.array([[0.0, 0], [10, 0], [10, 10]])
    np.testing.assert_allclose(leftwards(corner, 1.0), [[0, 1], [9, 1], [9, 10]])
    np.testing.assert_allclose(piece(corner, 8.0, 13.0), [[8, 0], [10, 0], [10, 3]])
    assert area(strip(leftwards(corner[:2], 1.0), corner[:2])) == pytest.approx(10.0)


def test_clip_coordinates_are_the_camera_s_own_projection() -> None:
    base = camera(size_px=(640, 360))
    intrinsics = np.array([[500.0, 3.0, 290.0], [0, 480.0, 200.0], [0, 0, 1]])
    skewed = Camera("odd", (640, 360), intrinsics, base.vehicle_from_camera)
    points = np.random.default_rng(0).uniform([3, -10, -2], [80, 10, 6], (200, 3))
    pixels, depths = skewed.project(points)
    in_camera = points @ skewed.camera_from_vehicle[:3, :3].T + skewed.camera_from_vehicle[:3, 3]
    clip = np.column_stack([in_camera, np.ones(200)]) @ clip_from_camera(skewed).T
    found = (clip[:, :2] / clip[:, 3:] + 1) / 2 * [640, 360]
    np.testing.assert_allclose(found, pixels, atol=1e-6)
    np.testing.assert_allclose(clip[:, 3], depths)


def test_nothing_that_shows_is_left_out() -> None:
    view = view_of(camera(), np.eye(4))
    points = np.random.default_rng(1).uniform(-60, 60, (2000, 3))
    pixels, depths = view.camera.project(points)
    inside = (depths > 0.3) & (pixels > 0).all(axis=1) & (pixels < [640, 360]).all(axis=1)
    shown, _ = in_picture(view, points, np.full(2000, 0.01))
    assert inside.sum() > 50
    assert shown[inside].all()
    assert shown.sum() < 1.2 * inside.sum()


def test_commands_gather_instances_by_mesh() -> None:
    order, table = commands(np.array([2, 0, 2, 2]), np.array([[30, 0, 0], [60, 30, 9], [90, 90, 20]]), 100)
    assert order.tolist() == [1, 0, 2, 3]
    assert table.tolist() == [[30, 1, 0, 0, 100], [90, 3, 90, 20, 101]]


def test_the_sun_s_view_is_centred_and_farther_is_deeper() -> None:
    sun = np.array([0.6, 0.0, 0.8])
    clip = shadow_matrix(sun, np.array([30.0, -5.0]), 50.0)
    np.testing.assert_allclose(clip @ [30, -5, 0, 1], [0, 0, 0, 1], atol=1e-12)
    assert (clip @ [30 + 6, -5, 8, 1])[2] < 0 < (clip @ [30 - 6, -5, -8, 1])[2]


def test_tiles_hold_small_silhouettes_at_the_camera_s_own_pixels() -> None:
    boxes = np.array([[100.3, 50.7, 140.2, 90.1], [10.0, 20.0, 310.0, 120.0]])
    sizes = np.array([[640.0, 360.0]] * 2)
    tiles = tiles_for(boxes, sizes, np.array([0, 17]))
    assert tiles.areas_px.tolist() == [1.0, 64.0]
    pixel = np.array([120.0, 60.0])
    clip = pixel / sizes[0] * 2 - 1
    at = (tiles.clip[0, :2] * clip + tiles.clip[0, 2:] + 1) / 2 * ATLAS_PX
    assert at == pytest.approx([120 - 100 + 1, 60 - 50 + 1])
    assert tiles.windows[1].tolist() == [64, 64, 128, 128]


def test_boxes_and_counts_of_an_id_buffer() -> None:
    codes = np.zeros((10, 20), np.uint16)
    codes[2:5, 3:9] = 1
    codes[4, 4] = 3
    boxes, pixels = shown_boxes(codes, 3)
    assert pixels.tolist() == [17, 0, 1]
    assert boxes.tolist() == [[3, 2, 9, 5], [0, 0, 0, 0], [4, 4, 5, 5]]


def test_feet_stay_on_the_pedals() -> None:
    crank = np.linspace(0, 2 * np.pi, 33)
    thigh, shin = pedalling(crank)
    x = SADDLE_HIP[0] - THIGH_M * np.sin(thigh) - SHIN_M * np.sin(thigh + shin)
    z = SADDLE_HIP[1] - THIGH_M * np.cos(thigh) - SHIN_M * np.cos(thigh + shin)
    pedal = np.stack([BRACKET[0] + CRANK_M * np.cos(crank), BRACKET[1] - CRANK_M * np.sin(crank) + 0.05], axis=1)
    np.testing.assert_allclose(np.stack([x, z], axis=1), pedal, atol=0.02)
    assert (shin >= -1e-9).all()


def test_legs_swing_against_each_other_and_rest_when_standing() -> None:
    phase = np.linspace(0, 2 * np.pi, 17)
    left, _, arm = walking(phase, np.ones(17))
    right, _, _ = walking(phase + np.pi, np.ones(17))
    np.testing.assert_allclose(left, -right, atol=1e-12)
    assert np.corrcoef(left, arm)[0, 1] < -0.9
    assert np.abs(walking(phase, np.zeros(17))[0]).max() == 0


def test_seeds_are_spread_evenly_and_repeat() -> None:
    appearance_seeds = np.arange(4000, dtype=np.uint32)
    shares = hashed(appearance_seeds, 5)
    assert np.histogram(shares, 8, (0, 1))[0] == pytest.approx(np.full(8, 500), abs=90)
    np.testing.assert_array_equal(shares, hashed(appearance_seeds, 5))
    assert abs(np.corrcoef(shares, hashed(appearance_seeds, 6))[0, 1]) < 0.06


def test_houses_and_trees_stand_beside_the_road_and_not_in_one_another() -> None:
    town = small_town()
    plan = surface_map(town)
    bare = plan.cover.copy()
    assert plan.at(np.array([[0.0, 0.0], [0.0, 4.4], [0.0, 30.0]])).tolist() == [1, 2, 0]
    scenery = furnish(town, plan, 4)
    assert len(scenery.houses) > 8
    again = furnish(town, surface_map(town), 4)
    np.testing.assert_array_equal(
        [house.centre_m for house in scenery.houses], [house.centre_m for house in again.houses]
    )
    corners = np.stack([footprint_m(house, -0.3) for house in scenery.houses])
    assert (np.abs(corners[..., 1]) > 5.6).all()
    trees = np.array([p.position_m for p in scenery.props if p.model in ("oak", "linden", "spruce")])
    plan.cover[:] = bare
    assert len(trees) > 3
    assert (plan.at(trees) == 0).all()


def test_the_ground_is_covered_from_the_road_to_the_horizon() -> None:
    town = small_town()
    ground, detail = ground_triangles(town), detail_triangles(town, surface_map(town))
    for table in (ground, detail):
        assert table.shape[1:] == (3,)
        assert np.isfinite(table["position"]).all()
    flat = ground["position"][..., :2].astype(float)
    lanes = flat[(ground["kind"][:, 0] == 1) & (ground["position"][:, 0, 2] > 0)]
    assert area(lanes) == pytest.approx(2 * 200 * 3.2)
    assert np.ptp(flat[..., 0]) > 1500
    bars = detail[(detail["kind"][:, 0] == 4) & (np.abs(detail["position"][..., 0].mean(axis=1) - 41.5) < 1.6)]
    # Six bars of half a metre by three metres, and the stop line stands apart.
    assert area(bars["position"][..., :2].astype(float)) == pytest.approx(6 * 0.5 * 3, rel=0.15)


def test_pictures_for_surfaces_repeat_without_a_seam() -> None:
    noise = fractal_noise(64, 1)
    inner = np.abs(np.diff(noise, axis=0)).mean()
    assert np.abs(noise[0] - noise[-1]).mean() < 2 * inner
    assert noise.min() == 0 and noise.max() == 1
    assert facade_pictures().shape == (16, 128, 128, 4)
    assert palette().shape == (32, 4)


def test_the_sky_is_brightest_at_the_sun() -> None:
    conditions = Conditions.named("clear-afternoon")
    size = 256
    sky = sky_picture(conditions, 2, size).astype(float).sum(axis=-1)
    sun = conditions.sun_direction
    column, row = (0.5 + SKY_EDGE * sun[:2] / (1 + sun[2])) * size
    found = np.unravel_index(np.argmax(sky), sky.shape)
    assert np.hypot(found[0] - row, found[1] - column) < 8


def test_looks_are_drawn_from_the_seed() -> None:
    assert Conditions.sample(4) == Conditions.sample(4)
    assert len({Conditions.sample(seed).name for seed in range(60)}) >= 6
    assert all(Conditions.named(name).name == name for name in Conditions.names())
    for seed in range(40):
        conditions = Conditions.sample(seed)
        assert 0 <= conditions.cloud_cover <= 1 and conditions.blur_px >= 0 and conditions.noise > 0


def test_an_unknown_look_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"^look sunny: .*clear-noon.*wet-dusk"):
        Conditions.named("sunny")


def test_boxes_around_silhouettes_hold_the_whole_mesh_and_little_more(library: ModelLibrary) -> None:
    view = view_of(camera(), np.eye(4))
    outlines = OutlineTable(list(library.models.values()))
    rows = empty_instances(3)
    rows["position"] = [(15, 3, 0), (25, -4, 0), (-20, 0, 0)]
    models = np.array([library.names.index(name) for name in ("sedan", "bus", "sedan")])
    boxes = outlines.boxes(view, rows, models)
    assert np.isnan(boxes[2]).all()
    assert outlines.boxes(view, rows[:0], models[:0]).shape == (0, 4)
    for row in range(2):
        first, end = library.draws[list(library.models[library.names[models[row]]].meshes[:2]), 2]
        pixels, _ = view.camera.project(library.vertices["position"][first:end] + rows["position"][row])
        np.testing.assert_allclose(boxes[row], [*pixels.min(axis=0), *pixels.max(axis=0)], atol=0.4)


def test_a_silhouette_that_reaches_behind_the_camera_is_cut_before_it(library: ModelLibrary) -> None:
    view = view_of(camera(), np.eye(4))
    rows = empty_instances(1)
    rows["position"] = view.eye_m * [1, 1, 0] + [0, 2.5, 0]
    box = OutlineTable(list(library.models.values())).boxes(view, rows, np.array([library.names.index("bus")]))[0]
    assert np.isfinite(box).all()
    assert box[0] < -600
