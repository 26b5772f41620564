"""The picture of a rig."""

import numpy as np
import pytest

from perception.types import Forecasts, Tracks
from perception.visualization import AnnotationStyle, TrackHistory, draw_scene
from perception.visualization.primitives.colours import track_colour
from perception.visualization.rig_layout import fitted, rig_layout

SIX = {"front": 0, "left": 55, "back left": 110, "back": 180, "back right": -110, "right": -55}
IMAGE_PX = (640, 360)
BARE = AnnotationStyle(labels=False, boxes=False, past=False)


@pytest.fixture
def rig(rig_of):
    return rig_of(SIX)


@pytest.fixture
def draw(rig, scene_of):
    def picture(tracks=None, forecasts=None, *, cameras=tuple(SIX), rig=rig, **options):
        scene = scene_of(tracks, forecasts, cameras=cameras, size_px=IMAGE_PX)
        return draw_scene(
            scene, **{"rig": rig, "cameras": tuple(rig.cameras), "style": BARE, "status_line": False, **options}
        )

    return picture


def tile(picture, rig, name):
    """One camera's part of the picture, and the scale and offset of its image in it."""
    layout = rig_layout(list(rig.cameras), rig, (picture.shape[1], picture.shape[0]), status_px=0)
    area = layout.tiles[name]
    return area.of(picture), *fitted(IMAGE_PX, area)


def test_the_picture_has_the_size_that_is_asked_for(draw):
    assert draw().shape == (720, 1280, 3)
    assert draw(rig_size_px=(1920, 1080)).shape == (1080, 1920, 3)


def test_the_images_fill_their_tiles(rig, draw):
    picture = draw()
    for name in SIX:
        shown, _, _ = tile(picture, rig, name)
        assert (shown[40:, 120:] == 90).all()


def test_a_future_lies_on_the_road_where_the_camera_sees_it(rig, draw, ground_tracks_of, ground_forecasts_of):
    tracks = ground_tracks_of([[8.0, 2.0]], [3])
    picture, bare = draw(tracks, ground_forecasts_of(tracks, [[5.0, 0.0]])), draw(tracks)
    drawn, scale, offset = tile(picture, rig, "front")
    mask = (drawn != tile(bare, rig, "front")[0]).any(axis=2)
    path = np.array([[x, 2.0, 0.0] for x in (12.0, 16.0, 20.0, 24.0)])
    pixels, _ = rig.cameras["front"].project(path)
    for x, y in np.rint(pixels * scale + offset - 0.5).astype(int):
        assert mask[y, x]
    horizon_px = round(180 * scale[1] + offset[1])
    assert not mask[:horizon_px].any()
    beyond, _ = rig.cameras["front"].project(np.array([32.0, 2.0, 0.0]))
    assert not mask[: round(float(beyond[1] * scale[1] + offset[1]))].any()


def test_what_is_behind_a_camera_is_not_drawn_in_it(rig, draw, ground_tracks_of, ground_forecasts_of):
    tracks = ground_tracks_of([[-15.0, 0.0]], [3])
    forecasts = ground_forecasts_of(tracks, [[-2.0, 0.0]])
    picture, empty = draw(tracks, forecasts), draw()
    for name, is_touched in (("front", False), ("left", False), ("right", False), ("back", True)):
        shown, before = tile(picture, rig, name)[0], tile(empty, rig, name)[0]
        assert (shown != before).any() == is_touched


def test_a_future_that_passes_the_car_appears_in_each_camera_on_its_way(
    rig, draw, ground_tracks_of, ground_forecasts_of
):
    tracks = ground_tracks_of([[20.0, 3.0]], [3], headings_rad=[np.pi])
    picture, empty = draw(tracks, ground_forecasts_of(tracks, [[-10.0, 0.0]])), draw()
    touched = {name for name in SIX if (tile(picture, rig, name)[0] != tile(empty, rig, name)[0]).any()}
    assert {"front", "left", "back left", "back"} <= touched
    assert "right" not in touched


def test_boxes_stand_where_each_camera_saw_them_in_one_colour(rig, draw, ground_tracks_of):
    boxes = {"front": [20.0, 100.0, 60.0, 160.0], "left": [500.0, 120.0, 600.0, 200.0]}
    tracks = ground_tracks_of([[20.0, 9.0]], [3], sightings=[(3, name, box) for name, box in boxes.items()])
    picture = draw(tracks, style=AnnotationStyle(labels=False))
    for name, box in boxes.items():
        shown, scale, offset = tile(picture, rig, name)
        x, y = round((box[0] + box[2]) / 2 * scale[0] + offset[0]), round(box[1] * scale[1] + offset[1])
        edge = shown[y - 2 : y + 3, x].astype(int)
        assert np.abs(edge - track_colour(3)).max(axis=1).min() < 60
    assert (tile(picture, rig, "back")[0][40:, 120:] == 90).all()


def test_an_unseen_track_is_expected_in_its_camera(rig, draw, ground_tracks_of, tracks_of):
    tracks = ground_tracks_of([[20.0, 0.0]], [3], unseen_s=[0.5])
    tracks = Tracks(
        **{**vars(tracks), "boxes_xyxy_px": np.array([[300.0, 120, 400, 220]]), "cameras": np.array(["front"])}
    )
    shown, scale, offset = tile(draw(tracks, style=AnnotationStyle(labels=False)), rig, "front")
    row = round(120 * scale[1] + offset[1])
    columns = slice(*(np.array([310, 390]) * scale[0] + offset[0]).astype(int))
    dashes = (shown[row - 1 : row + 2, columns] != 90).any(axis=(0, 2))
    assert 0.3 < dashes.mean() < 0.95


def test_selected_tracks_without_all_of_their_sightings_can_be_drawn(draw, ground_tracks_of):
    tracks = ground_tracks_of(
        [[20.0, 0.0], [30.0, 0.0]], [3, 4], sightings=[(n, "front", [300, 100, 400, 200]) for n in (3, 4)]
    )
    assert draw(tracks[[1]], style=AnnotationStyle()).shape == (720, 1280, 3)


def test_a_missing_camera_keeps_its_place(rig, draw):
    cameras = [name for name in SIX if name != "left"]
    picture = draw(cameras=cameras)
    shown = tile(picture, rig, "left")[0]
    assert shown[40:, :].mean() < 40
    assert (tile(picture, rig, "front")[0][40:, 120:] == 90).all()


def test_the_same_scene_gives_the_same_picture_and_leaves_the_images_alone(rig, scene_of, ground_tracks_of):
    tracks = ground_tracks_of([[20.0, 0.0]], sightings=[(1, "front", [300, 100, 400, 200])])
    scene = scene_of(tracks, cameras=tuple(SIX), size_px=IMAGE_PX)
    first, second = (draw_scene(scene, rig=rig) for _ in range(2))
    assert (first == second).all()
    assert all((frame.image == 90).all() for frame in scene.frame_set)


def test_images_of_another_size_than_the_calibration_are_drawn_alike(rig, rig_of, draw, ground_tracks_of):
    tracks = ground_tracks_of([[10.0, 0.0]], [3])
    fine = rig_of(SIX, size_px=(1280, 720))
    np.testing.assert_allclose(draw(tracks).astype(int), draw(tracks, rig=fine).astype(int), atol=3)


def test_the_status_line_counts_the_objects(draw, ground_tracks_of):
    one = draw(ground_tracks_of([[500.0, 0.0]]), status_line=True)
    none = draw(Tracks(**{**vars(ground_tracks_of([])), "sightings": None}), status_line=True)
    assert (one[-26:] != none[-26:]).any()
    assert (one[-26:, :1000] == none[-26:, :1000]).all()


def test_a_scene_in_the_image_frame_is_drawn_as_without_a_rig(rig, scene_of, tracks_of):
    tracks = tracks_of([[10, 20, 60, 80]])
    scene = scene_of(tracks, cameras=tuple(SIX))
    with_rig, without = draw_scene(scene, rig=rig), draw_scene(scene)
    assert with_rig.shape == without.shape
    assert (with_rig == without).all()


def test_a_stranger_and_forecasts_of_another_frame_are_refused(rig, scene_of, ground_tracks_of):
    with pytest.raises(ValueError, match=r"cameras of the rig .*webcam"):
        draw_scene(scene_of(cameras=("webcam",)), rig=rig)
    tracks = ground_tracks_of([[20.0, 0.0]])
    image = Forecasts(
        track_ids=tracks.ids,
        probabilities=np.ones((1, 1)),
        means=np.zeros((1, 1, 5, 4)),
        stds=np.zeros((1, 1, 5, 4)),
        dt_s=0.1,
    )
    with pytest.raises(ValueError, match="ground frame"):
        draw_scene(scene_of(tracks, image), rig=rig)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 12])
def test_any_number_of_cameras_can_be_drawn(count, rig_of, scene_of, ground_tracks_of, ground_forecasts_of):
    rig = rig_of({f"cam{k}": 360 * k / count for k in range(count)})
    history = TrackHistory(span_s=1.0)
    rng = np.random.default_rng(count)
    places = rng.uniform(-50, 50, (40, 2))
    for step in range(3):
        tracks = ground_tracks_of(
            (places + step).tolist(),
            labels=np.arange(40) % 6,
            headings_rad=rng.uniform(-3, 3, 40),
            unseen_s=(np.arange(40) % 7 == 0) * 0.3,
            sightings=[(n, "cam0", [10.0 * n, 100, 10.0 * n + 30, 150]) for n in range(1, 41)],
        )
        forecasts = ground_forecasts_of(tracks, [[4.0, 0], [3, 2]], [0.7, 0.3], stds=(1.0, 0.5))
        scene = scene_of(
            tracks,
            forecasts,
            timestamp_ns=step * 10**8,
            cameras=tuple(rig.cameras),
            size_px=IMAGE_PX,
            world_from_vehicle=np.eye(4),
        )
        history.update(scene)
    picture = draw_scene(scene, history=history, rig=rig)
    assert picture.shape == (720, 1280, 3)
    assert picture.std() > 10
