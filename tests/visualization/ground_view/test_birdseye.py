"""The bird's-eye view."""

import numpy as np
import pytest

from perception.visualization import AnnotationStyle, TrackHistory
from perception.visualization.ground_view.birdseye import draw_birds_eye
from perception.visualization.ground_view.birdseye_ground import BirdsEye, draw_ground
from perception.visualization.ground_view.ground_scene import ground_scene
from perception.visualization.primitives.colours import track_colour

SIZE_PX = (480, 680)
BARE = AnnotationStyle(labels=False)


@pytest.fixture
def rig(rig_of):
    return rig_of({"front": 0, "back": 180})


@pytest.fixture
def draw(rig, scene_of):
    def picture(tracks=None, forecasts=None, *, history=None, style=BARE, cameras=("front", "back"), pose=None):
        scene = scene_of(tracks, forecasts, world_from_vehicle=pose)
        ground = ground_scene(scene, history, min_probability=0.05)
        panel = np.zeros((SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
        seeing = [rig.cameras[name] for name in cameras]
        draw_birds_eye(panel, BirdsEye.of(rig, SIZE_PX), ground, seeing, style=style, unit=1.0)
        return panel.astype(int)

    return picture


def like(panel, track_id, tolerance=40):
    """(H, W): pixels that have about the colour of a track."""
    return np.abs(panel - track_colour(track_id)).max(axis=2) < tolerance


def pixel(rig, x_m, y_m):
    """(column, row) of a place in the vehicle's axes."""
    view = BirdsEye.of(rig, SIZE_PX)
    return round(view.origin_px[0] - y_m * view.px_per_m), round(view.origin_px[1] - x_m * view.px_per_m)


def test_an_object_ahead_stands_above_the_own_car(rig, draw, ground_tracks_of):
    view = BirdsEye.of(rig, SIZE_PX)
    rows, columns = like(draw(ground_tracks_of([[20.0, 0.0]], [3])), 3).nonzero()
    assert columns.mean() == pytest.approx(view.origin_px[0], abs=1.5)
    assert rows.mean() == pytest.approx(view.origin_px[1] - 20 * view.px_per_m, abs=4)
    assert np.ptp(rows) == pytest.approx(4.5 * view.px_per_m, abs=3)
    assert np.ptp(columns) == pytest.approx(1.85 * view.px_per_m, abs=3)
    assert view.origin_px[1] > SIZE_PX[1] / 2


def test_left_is_left_and_the_heading_turns_the_box(rig, draw, ground_tracks_of):
    rows, columns = like(draw(ground_tracks_of([[10.0, 15.0]], [3], headings_rad=[np.pi / 2])), 3).nonzero()
    column, row = pixel(rig, 10.0, 15.0)
    assert columns.mean() == pytest.approx(column, abs=4)
    assert rows.mean() == pytest.approx(row, abs=1.5)
    assert np.ptp(columns) > 2 * np.ptp(rows)


def test_the_windscreen_shows_where_the_front_is(rig, draw, ground_tracks_of):
    up = draw(ground_tracks_of([[20.0, 0.0]], [3]))
    down = draw(ground_tracks_of([[20.0, 0.0]], [3], headings_rad=[np.pi]))
    front, rear = pixel(rig, 20.8, 0.0), pixel(rig, 19.2, 0.0)
    assert up[front[1], front[0]].sum() < 0.6 * up[rear[1], rear[0]].sum()
    assert down[rear[1], rear[0]].sum() < 0.6 * down[front[1], front[0]].sum()


def test_an_unseen_object_is_fainter(rig, draw, ground_tracks_of):
    column, row = pixel(rig, 19.3, 0.0)
    seen, unseen = (draw(ground_tracks_of([[20.0, 0]], [3], unseen_s=[s]))[row, column] for s in (0.0, 0.6))
    assert 0 < unseen.sum() < 0.6 * seen.sum()


def test_every_class_can_be_seen_wherever_it_points(rig, draw, ground_tracks_of):
    positions = [[12.0 * row, 12.0 * column] for row in (1, 2, 3) for column in (-1, 1)]
    tracks = ground_tracks_of(positions, [1, 2, 3, 4, 5, 6], labels=range(6), headings_rad=[1.0] * 6)
    panel = draw(tracks)
    for track_id, position in enumerate(positions, 1):
        column, row = pixel(rig, *position)
        assert like(panel, track_id, 60)[row - 8 : row + 9, column - 8 : column + 9].sum() > 12


def test_the_future_lies_ahead_and_fades(rig, draw, ground_tracks_of, ground_forecasts_of):
    tracks = ground_tracks_of([[10.0, 8.0]], [3])
    difference = np.abs(draw(tracks, ground_forecasts_of(tracks, [[6.0, 0.0]])) - draw(tracks)).sum(axis=2)
    near, far, beyond = (pixel(rig, x, 8.0) for x in (15.0, 30.0, 42.0))
    assert difference[near[1], near[0]] > 1.5 * difference[far[1], far[0]] > 30
    assert difference[beyond[1] - 5 : beyond[1] + 5, beyond[0] - 5 : beyond[0] + 5].max() == 0


def test_a_wider_spread_makes_a_wider_tube(rig, draw, ground_tracks_of, ground_forecasts_of):
    tracks = ground_tracks_of([[10.0, 8.0]], [3])
    narrow, wide = (
        (draw(tracks, ground_forecasts_of(tracks, [[6.0, 0.0]], stds=(0.1, across))) != draw(tracks)).any(axis=2)
        for across in (0.1, 2.0)
    )
    row = pixel(rig, 25.0, 8.0)[1]
    view = BirdsEye.of(rig, SIZE_PX)
    assert wide[row].sum() - narrow[row].sum() == pytest.approx(2 * 1.9 * view.px_per_m, abs=8)


def test_a_likely_future_is_clearer(rig, draw, ground_tracks_of, ground_forecasts_of):
    tracks = ground_tracks_of([[0.0, 0.0]], [3])
    forecasts = ground_forecasts_of(tracks, [[5.0, 3.0], [5.0, -3.0]], [0.8, 0.2])
    difference = np.abs(draw(tracks, forecasts) - draw(tracks)).sum(axis=2)
    likely, unlikely = (pixel(rig, 10.0, side) for side in (6.0, -6.0))
    assert difference[likely[1], likely[0]] > difference[unlikely[1], unlikely[0]] > 0


def test_the_past_is_drawn_where_the_object_was(rig, draw, scene_of, ground_tracks_of):
    history = TrackHistory(span_s=2.0)
    for step in range(20):
        tracks = ground_tracks_of([[10.0 + step, 8.0]], [3])
        history.update(scene_of(tracks, timestamp_ns=step * 10**8))
    difference = np.abs(draw(tracks, history=history) - draw(tracks)).sum(axis=2)
    column, row = pixel(rig, 24.0, 8.0)
    assert difference[row, column - 2 : column + 3].max() > 60
    assert difference[: pixel(rig, 32.0, 8.0)[1]].max() == 0


def test_the_light_shows_which_cameras_have_a_picture(rig, draw):
    ahead, behind = (pixel(rig, x, 1.3) for x in (17.0, -17.0))
    for cameras, is_seen in ((("front", "back"), (True, True)), (("front",), (True, False)), ((), (False, False))):
        panel = draw(cameras=cameras)
        lit = [panel[row - 3 : row + 4, column - 3 : column + 4, 2].mean() > 45 for column, row in (ahead, behind)]
        assert tuple(lit) == is_seen


def test_the_own_car_is_white_at_its_position(rig, draw):
    column, row = pixel(rig, 1.0, 0.0)
    assert (draw()[row, column] > 220).all()


def test_the_grid_lies_still_in_the_world(rig):
    def ground(x_m, heading_rad=0.0):
        panel = np.zeros((SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
        view = BirdsEye.of(rig, SIZE_PX)
        draw_ground(panel, view, [], position_m=np.array([x_m, 0.0]), heading_rad=heading_rad, unit=1.0)
        return panel

    assert (ground(0.0) == ground(10.0)).all()
    assert (ground(0.0) == ground(0.0, np.pi / 2)).mean() > 0.99
    assert (ground(0.0) != ground(4.0)).any()


def test_rigs_that_look_ahead_only_see_further_ahead(rig, rig_of):
    ahead_only = BirdsEye.of(rig_of({"front": 0}), SIZE_PX)
    assert ahead_only.origin_px[1] > BirdsEye.of(rig, SIZE_PX).origin_px[1]


def test_labels_keep_off_the_objects_and_the_speed(draw, rig, ground_tracks_of):
    tracks = ground_tracks_of([[20.0, 0.0], [20.0, 2.6]], [3, 5])
    with_labels, without = draw(tracks, style=AnnotationStyle()), draw(tracks)
    extra = (with_labels != without).any(axis=2)
    assert extra.any()
    for position in ([20.0, 0.0], [20.0, 2.6]):
        column, row = pixel(rig, *position)
        assert not extra[row - 10 : row + 11, column - 4 : column + 5].any()


def test_positions_and_pixels_are_each_others_inverse(rig):
    view = BirdsEye.of(rig, SIZE_PX)
    positions = np.random.default_rng(0).uniform(-30, 30, (50, 2))
    np.testing.assert_allclose(view.points_m(view.projection.pixels(positions)[0]), positions)


def test_objects_anywhere_are_no_trouble(draw, ground_tracks_of, ground_forecasts_of):
    tracks = ground_tracks_of([[1e5, 0], [0, 0], [-300, 9], [0, 1e7]], labels=[0, 1, 2, 5])
    panel = draw(tracks, ground_forecasts_of(tracks, [[1e4, 0], [0, 9.0]], [0.5, 0.5], stds=(50.0, 90.0)))
    assert panel.shape == (SIZE_PX[1], SIZE_PX[0], 3)
