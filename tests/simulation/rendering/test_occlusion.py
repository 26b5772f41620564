"""What houses hide is left out, and nothing that can be seen."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from support.rendering_world import camera, small_town, users, world
from support.simulators import needs_opengl

from perception.arrays import FloatArray
from perception.geometry.cameras import Rig
from perception.simulation.rendering import Conditions
from perception.simulation.rendering.culling.occlusion import Skyline, Walls
from perception.simulation.rendering.renderer import Renderer
from perception.simulation.rendering.town.scenery import House
from perception.simulation.worker import Worker
from perception.simulation.world import CameraView, WorldState

EYE_M = np.array([0.0, 0.0, 1.5])


def house(x: float, y: float, *, yaw_deg: float = 180.0, width_m: float = 20.0, storeys: int = 3) -> House:
    """Ten metres deep; its front looks back to the eye when the yaw is 180 degrees."""
    return House(np.array([x, y]), np.radians(yaw_deg), width_m, 10.0, storeys, "flat", 1, has_shop=False)


def hides(skyline: Skyline, x: float, y: float, radius_m: float = 1.0, top_m: float = 1.8) -> bool:
    return bool(skyline.hides(np.array([[x, y]]), np.array([radius_m]), np.array([top_m]))[0])


def test_what_stands_wholly_behind_a_house_is_hidden() -> None:
    skyline = Walls([house(30, 0)]).skyline(EYE_M)
    assert hides(skyline, 60, 0)
    assert not hides(skyline, 20, 0), "before the house"
    assert not hides(skyline, 60, 24), "its edge looks out beside the house"
    assert not hides(skyline, -60, 0), "behind the eye, where there is no house"
    assert not hides(skyline, 60, 0, top_m=25.0), "looks out above the roof"
    assert not hides(skyline, 60, 0, radius_m=70.0), "the eye is within it"


def test_two_houses_side_by_side_hide_what_neither_hides_alone() -> None:
    left, right = house(30, 10), house(30, -10)
    assert hides(Walls([left, right]).skyline(EYE_M), 60, 0, radius_m=5.0)
    assert not hides(Walls([left]).skyline(EYE_M), 60, 0, radius_m=5.0)


def test_an_eye_inside_a_house_looks_out_of_it() -> None:
    assert not hides(Walls([house(0, 0)]).skyline(EYE_M), 60, 0)


def test_no_houses_hide_nothing() -> None:
    assert not hides(Walls([]).skyline(EYE_M), 60, 0)


@pytest.mark.parametrize("seed", range(6))
def test_every_point_of_what_is_hidden_has_a_wall_before_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    houses = [
        house(*random.uniform(-80, 80, 2), yaw_deg=random.uniform(0, 360), storeys=int(random.integers(1, 5)))
        for _ in range(25)
    ]
    walls = Walls(houses)
    centres, radii, tops = random.uniform(-200, 200, (400, 2)), random.uniform(0.3, 9, 400), random.uniform(0.5, 9, 400)
    hidden = np.flatnonzero(walls.skyline(EYE_M).hides(centres, radii, tops))
    assert len(hidden) > 20
    for row in hidden:
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        rim = centres[row] + radii[row] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        assert is_blocked(walls, np.concatenate([rim, np.full((24, 1), tops[row])], axis=1)).all()


def is_blocked(walls: Walls, points_m: FloatArray) -> np.ndarray:
    """(N,): whether any wall cuts the line from the eye to each point (N, 3), worked out line by line."""
    way = points_m[:, None] - EYE_M
    start, along = walls.starts_m - EYE_M[:2], walls.ends_m - walls.starts_m

    def cross(a: FloatArray, b: FloatArray) -> FloatArray:
        product: FloatArray = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
        return product

    across = cross(way, along)
    share, place = cross(start, along) / across, cross(start, way) / across
    height_m = EYE_M[2] + share * way[..., 2]
    cut: np.ndarray = (share > 0) & (share < 1) & (place >= 0) & (place <= 1) & (height_m < walls.tops_m)
    return cut.any(axis=1)


class WithAndWithoutHiding(Renderer):
    """Also draws what houses hide."""

    def render_both(self, state: WorldState) -> tuple[dict[str, CameraView], dict[str, CameraView], int]:
        """What is drawn as a rule, what with all that is hidden, and how much that is."""
        thrifty = self.render(state)
        hides, hidden = Skyline.hides, 0

        def nothing(skyline: Skyline, centres_m: FloatArray, *sizes: FloatArray) -> np.ndarray:
            nonlocal hidden
            hidden += int(hides(skyline, centres_m, *sizes).sum())
            return np.zeros(len(centres_m), bool)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Skyline, "hides", nothing)
            return thrifty, self.render(state), hidden


@needs_opengl
def test_leaving_out_what_is_hidden_changes_no_pixel() -> None:
    rig = Rig({"front": camera(), "left": camera("left", yaw_deg=90, size_px=(320, 240), focal_px=200.0)})
    crowd = users(*[("sedan", float(x), float(y), 0.0) for x in range(-90, 91, 30) for y in (-40, -1.6, 1.6, 40)])
    make = partial(WithAndWithoutHiding, seed=3, conditions=Conditions.named("clear-afternoon"))
    with Worker(make, small_town(), rig, does="draws") as worker:
        thrifty, plain, hidden = worker.call(WithAndWithoutHiding.render_both, world(crowd))
    assert hidden > 0, "the picture was to have something hidden"
    for name, view in plain.items():
        np.testing.assert_array_equal(thrifty[name].image, view.image)
        np.testing.assert_array_equal(thrifty[name].ids, view.ids)
        np.testing.assert_array_equal(thrifty[name].visible_shares, view.visible_shares)
