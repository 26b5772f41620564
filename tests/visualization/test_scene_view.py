"""The annotated picture."""

import math

import numpy as np
import pytest

from perception.types import Forecasts
from perception.visualization import AnnotationStyle, TrackHistory, draw_scene
from perception.visualization.primitives.colours import track_colour
from perception.visualization.scene_view import grid_columns

BARE = AnnotationStyle(labels=False)
NATIVE = {"status_line": False, "min_width_px": 1}


def changed(scene, **options) -> np.ndarray:
    """(H, W) mask of the pixels that differ from the grey of the scene's images, drawn at their own size."""
    return (draw_scene(scene, **{**NATIVE, "style": BARE, **options}) != 90).any(axis=2)


def test_a_scene_without_tracks_is_the_image(scene_of):
    scene = scene_of()
    picture = draw_scene(scene, **NATIVE)
    assert (picture == scene.frame_set.frames[0].image).all()
    assert picture is not scene.frame_set.frames[0].image


def test_a_box_is_drawn_on_its_edge_and_nowhere_else(scene_of, tracks_of):
    scene = scene_of(tracks_of([[100, 80, 180, 150]]))
    mask = changed(scene)
    assert mask[100:130, 100].all()
    assert mask[80, 120:160].all()
    assert not mask[86:144, 106:174].any()
    mask[77:153, 97:183] = False
    assert not mask.any()
    assert (scene.frame_set.frames[0].image == 90).all()


def test_the_colour_stays_with_the_id(scene_of, tracks_of):
    first = draw_scene(
        scene_of(tracks_of([[40.5, 80.5, 120.5, 150.5], [200.5, 80.5, 280.5, 150.5]], [7, 3])), style=BARE, **NATIVE
    )
    second = draw_scene(
        scene_of(tracks_of([[40.5, 80.5, 120.5, 150.5], [200.5, 80.5, 280.5, 150.5]], [3, 7])), style=BARE, **NATIVE
    )
    for picture, left, right in ((first, 7, 3), (second, 3, 7)):
        np.testing.assert_allclose(picture[80, 80].astype(int), track_colour(left), atol=30)
        np.testing.assert_allclose(picture[80, 240].astype(int), track_colour(right), atol=30)


def test_an_unseen_track_is_dashed(scene_of, tracks_of):
    boxes = [[60, 60, 260, 200]]
    seen = changed(scene_of(tracks_of(boxes)))[60, 80:240]
    unseen = changed(scene_of(tracks_of(boxes, unseen_s=[0.3])))[60, 80:240]
    assert seen.all()
    assert 0.3 < unseen.mean() < 0.9


def test_the_future_runs_from_the_foot_point(scene_of, tracks_of, forecasts_of):
    tracks = tracks_of([[60, 100, 100, 140]])
    boxes_only = changed(scene_of(tracks))
    mask = changed(scene_of(tracks, forecasts_of(tracks, [[0.25, 0.0]], std=0.0))) & ~boxes_only
    # Two seconds at a quarter of the width of 320: from x = 80 to 240 along y = 140.
    assert mask[139:142, 110:236].any(axis=0).all()
    assert not mask[:, 246:].any()
    assert not mask[:134].any()
    assert not mask[146:].any()


def test_the_tube_widens_with_the_spread(scene_of, tracks_of, forecasts_of):
    tracks = tracks_of([[60, 100, 100, 140]])
    narrow, wide = (
        changed(scene_of(tracks, forecasts_of(tracks, [[0.25, 0.0]], std=std)))[:, 200].sum() for std in (0.0, 0.05)
    )
    # The spread of the foot point: 0.05 of the height of 240 for the centre, half of that for the height.
    assert wide - narrow == pytest.approx(2 * math.hypot(0.05, 0.025) * 240, abs=8)


def test_unlikely_futures_and_those_of_standing_objects_are_left_out(scene_of, tracks_of, forecasts_of):
    tracks = tracks_of([[140, 100, 180, 140]])
    one = changed(scene_of(tracks, forecasts_of(tracks, [[0.2, 0.0]], std=0.0)))
    two = changed(scene_of(tracks, forecasts_of(tracks, [[0.2, 0.0], [-0.2, 0.0]], [0.97, 0.03], std=0.0)))
    three = changed(scene_of(tracks, forecasts_of(tracks, [[0.2, 0.0], [-0.2, 0.0]], [0.7, 0.3], std=0.0)))
    assert (one == two).all()
    assert three[136:145, 100:130].any()
    assert not one[136:145, 100:130].any()
    still = changed(scene_of(tracks, forecasts_of(tracks, [[0.004, 0.0]], std=0.05)))
    assert (still == changed(scene_of(tracks))).all()


def test_a_likely_future_is_clearer_than_an_unlikely_one(scene_of, tracks_of, forecasts_of):
    tracks = tracks_of([[140, 100, 180, 140]])
    forecasts = forecasts_of(tracks, [[0.2, 0.0], [-0.2, 0.0]], [0.7, 0.3], std=0.0)
    difference = np.abs(draw_scene(scene_of(tracks, forecasts), style=BARE, **NATIVE).astype(int) - 90).sum(axis=2)
    assert difference[136:145, 190:220].max() > 1.2 * difference[136:145, 100:130].max() > 0
    assert difference[136:145, 184:200].max() > 2 * difference[136:145, 272:280].max() > 0


def test_forecasts_are_matched_by_id(scene_of, tracks_of, forecasts_of):
    tracks = tracks_of([[40, 40, 80, 80], [40, 140, 80, 180]], [1, 2])
    forecasts = forecasts_of(tracks, [[0.3, 0.0]], std=0.0)
    # Shuffled, with a stranger, and without the first track.
    shuffled = {"track_ids": np.array([2, 99]), "means": forecasts.means[::-1].copy()}
    scene = scene_of(tracks, Forecasts(**{**vars(forecasts), **shuffled}))
    mask = changed(scene)
    assert mask[178:183, 100:200].any(axis=0).all()
    assert not mask[60:100, 100:200].any()


def test_the_past_is_drawn_and_fades(scene_of, tracks_of):
    history = TrackHistory()
    for step in range(16):
        scene = scene_of(tracks_of([[20 + 10 * step, 60, 60 + 10 * step, 100]]), timestamp_ns=step * 10**8)
        history.update(scene)
    picture = draw_scene(scene, history=history, style=BARE, **NATIVE).astype(int)
    strength = np.abs(picture - 90).sum(axis=2)[98:103].max(axis=0)
    assert (strength[60:160] > 0).all()
    assert strength[150:160].mean() > 1.5 * strength[60:70].mean()
    assert (draw_scene(scene, style=BARE, **NATIVE)[98:103, 60:160] == 90).all()


def test_small_boxes_get_no_label_and_large_ones_do(scene_of, tracks_of):
    tracks = tracks_of([[30, 100, 44, 109], [150, 100, 250, 180]])
    extra = changed(scene_of(tracks), style=AnnotationStyle()) & ~changed(scene_of(tracks))
    assert extra[85:100, 150:190].mean() > 0.4
    assert not extra[:, :100].any()


def test_labels_do_not_cover_one_another(scene_of, tracks_of):
    one = tracks_of([[100, 100, 200, 180]])
    # The same place twice: the second label goes below the box.
    two = tracks_of([[100, 100, 200, 180], [100, 100, 200, 180]])
    above, below = slice(80, 98), slice(183, 200)
    alone, both = (changed(scene_of(t), style=AnnotationStyle()) for t in (one, two))
    assert alone[above].any()
    assert not alone[below].any()
    assert both[above].any()
    assert both[below].any()


def test_narrow_images_are_enlarged_and_wide_ones_kept(scene_of):
    assert draw_scene(scene_of(), status_line=False).shape == (720, 960, 3)
    wide = scene_of(size_px=(1241, 377))
    assert draw_scene(wide, status_line=False).shape == (377, 1241, 3)


def test_annotations_follow_the_enlarged_image(scene_of, tracks_of):
    mask = changed(scene_of(tracks_of([[100, 80, 180, 150]])), min_width_px=640)
    assert mask[200:260, 200].all()
    assert not mask[172:288, 212:348].any()


def test_the_status_line_stays_at_the_lower_edge(scene_of):
    scene = scene_of(stage_ms={"detection": 20.0, "tracking": 5.0})
    mask = (draw_scene(scene, min_width_px=1) != 90).any(axis=2)
    assert mask[-20:].all()
    assert not mask[:-40].any()


def test_a_remark_stands_in_the_status_line_where_there_is_room(scene_of):
    bare, short, long = (draw_scene(scene_of(), remark=text) for text in ("", "2 s ahead: off by 1 m", "very " * 60))
    assert (bare[-20:] != short[-20:]).any()
    np.testing.assert_array_equal(bare, long)


def test_several_cameras_are_tiled_and_a_missing_one_keeps_its_place(scene_of, tracks_of):
    tracks = tracks_of([[100, 80, 180, 150]], cameras=["rear"])
    names = ("front", "left", "rear")
    scene = scene_of(tracks, cameras=("front", "rear"))
    picture = draw_scene(scene, cameras=names, status_line=False, style=BARE)
    full = scene_of(tracks, cameras=names)
    assert picture.shape == draw_scene(full, cameras=names, status_line=False, style=BARE).shape
    assert picture.shape[1] >= 960
    third = picture.shape[1] // 3
    colour = (np.abs(picture.astype(int) - track_colour(1)).sum(axis=2) < 60).nonzero()[1]
    assert len(colour) > 30
    assert (colour >= 2 * third).all()
    centre = picture[picture.shape[0] // 3, third + third // 2]
    assert (centre < 60).all()


def test_a_grid_is_no_wider_than_asked(scene_of):
    scene = scene_of(cameras=tuple("abcdef"), size_px=(1600, 900))
    assert draw_scene(scene, max_grid_width_px=1200).shape[1] == 1200
    assert [grid_columns(n) for n in (1, 2, 4, 6, 8, 9, 16)] == [1, 2, 2, 3, 4, 3, 4]


def test_what_cannot_be_drawn_is_refused(scene_of, tracks_of):
    tracks = tracks_of([[10, 10, 50, 50]])
    ground = Forecasts(
        track_ids=tracks.ids,
        probabilities=np.ones((1, 1)),
        means=np.zeros((1, 1, 5, 2)),
        stds=np.zeros((1, 1, 5, 2)),
        dt_s=0.1,
        reference_frame="ground",
        axes_rad=np.zeros(1),
    )
    with pytest.raises(ValueError, match="image frame"):
        draw_scene(scene_of(tracks, ground))
    with pytest.raises(ValueError, match="at least one camera"):
        draw_scene(scene_of(cameras=()))


@pytest.mark.parametrize("box", [[-50, -50, 20, 20], [300, 200, 500, 400], [10, 10, 10, 10], [-900, 0, -800, 50]])
def test_boxes_at_and_beyond_the_border_are_no_trouble(scene_of, tracks_of, forecasts_of, box):
    tracks = tracks_of([box])
    history = TrackHistory()
    scene = scene_of(tracks, forecasts_of(tracks, [[9.0, -7.0]], steps=1, dt_s=0.5))
    history.update(scene)
    assert draw_scene(scene, history=history).shape == (720, 960, 3)
