"""Where the cameras of a rig lie in the picture."""

import numpy as np
import pytest

from perception.visualization.rig_layout import Area, camera_rows, fitted, rig_layout, row_sizes

SIX = {"front": 0, "front_left": 55, "back_left": 110, "back": 180, "back_right": -110, "front_right": -55}
SIZE_PX = (1280, 720)


@pytest.fixture(params=[1, 2, 3, 4, 5, 6, 7, 9, 12, 20])
def around(request, rig_of):
    count = request.param
    return rig_of({f"cam{k}": 360 * k / count for k in range(count)})


def test_six_cameras_stand_as_around_the_car(rig_of):
    rig = rig_of(SIX)
    assert camera_rows(list(SIX), rig) == [
        ["front"],
        ["front_left", "front_right"],
        ["back_left", "back", "back_right"],
    ]
    # Whatever the order in which they are named.
    assert camera_rows(sorted(SIX), rig) == camera_rows(list(SIX), rig)


def test_one_to_four_cameras(rig_of):
    assert camera_rows(["a"], rig_of({"a": 0})) == [["a"]]
    assert camera_rows(["b", "a"], rig_of({"a": 0, "b": 180})) == [["a"], ["b"]]
    assert camera_rows(["r", "f", "l"], rig_of({"f": 0, "r": -60, "l": 60})) == [["f"], ["l", "r"]]
    assert camera_rows(list("fblr"), rig_of({"f": 0, "b": 180, "l": 90, "r": -90})) == [["f"], ["l", "b", "r"]]


@pytest.mark.parametrize("size_px", [(1280, 720), (1920, 1080)])
@pytest.mark.parametrize("status_px", [0, 26])
def test_tiles_keep_clear_of_one_another_and_of_the_border(around, size_px, status_px):
    layout = rig_layout(list(around.cameras), around, size_px, status_px=status_px)
    areas = [*layout.tiles.values(), layout.above]
    assert len(areas) == len(around) + 1
    covered = np.zeros((size_px[1], size_px[0]), int)
    for area in areas:
        assert area.left >= 0
        assert area.top >= 0
        assert area.left + area.width <= size_px[0]
        assert area.top + area.height <= size_px[1] - status_px
        covered[area.top : area.top + area.height, area.left : area.left + area.width] += 1
    assert covered.max() == 1
    assert layout.above.width >= 0.3 * size_px[0]


def test_the_front_camera_is_the_largest_and_all_are_large_enough_to_see(rig_of):
    layout = rig_layout(list(SIX), rig_of(SIX), SIZE_PX, status_px=26)
    widths = {name: area.width for name, area in layout.tiles.items()}
    assert widths["front"] > 600
    assert widths["front"] == max(widths.values())
    assert min(widths.values()) > 230
    assert layout.above.width > 480


def test_a_row_of_its_own_shows_four_fifths_of_the_height(around):
    layout = rig_layout(list(around.cameras), around, SIZE_PX, status_px=26)
    for area in layout.tiles.values():
        scale, offset = fitted((640, 360), area)
        shown_h = min(area.height, area.height - 2 * offset[1]) / (scale[1] * 360)
        assert scale[0] == scale[1]
        assert shown_h >= 0.75


def test_all_cameras_get_a_place():
    for count in range(1, 41):
        assert sum(row_sizes(count)) == count


def test_an_image_of_another_shape_is_shown_whole():
    scale, offset = fitted((1000, 200), Area(0, 0, 300, 200))
    np.testing.assert_allclose(scale, 0.3)
    np.testing.assert_allclose(offset, [0, 70])


def test_a_cut_takes_more_of_the_sky():
    scale, offset = fitted((640, 360), Area(0, 0, 640, 300))
    np.testing.assert_allclose(scale, 1.0)
    np.testing.assert_allclose(offset, [0, -36])
