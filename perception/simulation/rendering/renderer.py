"""Draws a town and its road users as every camera of a rig sees them."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np

from perception.camera import Rig
from perception.simulation.rendering.buildings import HOUSE_VERTEX, house_triangles
from perception.simulation.rendering.context import open_context
from perception.simulation.rendering.ground import detail_triangles, ground_triangles, surface_map
from perception.simulation.rendering.hiding import Skyline, Walls
from perception.simulation.rendering.instances import road_user_rows, signal_flags, static_rows
from perception.simulation.rendering.look import Look
from perception.simulation.rendering.measuring import ShareMeter, seen_users
from perception.simulation.rendering.models import model_library
from perception.simulation.rendering.outlines import Outlines
from perception.simulation.rendering.selecting import Crowd, DrawTables, Range, Selector
from perception.simulation.rendering.sprites import sprites
from perception.simulation.rendering.stage import Stage
from perception.simulation.rendering.targets import CameraTarget, Lens, SilhouetteTarget
from perception.simulation.rendering.viewing import View, in_picture, view_of
from perception.simulation.scenery import furnish
from perception.simulation.world import CameraView, Town, WorldState

_SHADOW_GRID_M = 16.0
_HOUSE_SHADOW_REACH_M = 160.0
_FRONT_TO_BACK = ("solid", "house", "plant", "detail", "ground")
_MAX_USERS = 65_000


class Renderer:
    """``render`` gives what each camera of ``rig`` sees of ``town`` at an instant.

    ``seed`` chooses houses, trees and the grain of surfaces and sensors, ``look`` light and weather (without it, the
    seed chooses). The same arguments and states give the same pictures on one machine. ``close`` lets go of the
    graphics card; the renderer is also a context manager. Raises ``UsageError`` where OpenGL or moderngl are missing.
    """

    def __init__(self, town: Town, rig: Rig, *, seed: int, look: Look | None = None) -> None:
        self.rig = rig
        self.look = look or Look.sample(seed)
        self._seed = seed
        self._context: Any = open_context()
        try:
            self._build(town)
        except BaseException:
            self.close()
            raise

    def _build(self, town: Town) -> None:
        self._plan = surface_map(town)
        ground, detail = ground_triangles(town), detail_triangles(town, self._plan)
        scenery = furnish(town, self._plan, self._seed)
        self._walls = Walls(scenery.houses)
        houses = [house_triangles(house) for house in scenery.houses]
        fixed = {
            "house": np.concatenate(houses) if houses else np.zeros((0, 3), HOUSE_VERTEX),
            "ground": ground,
            "detail": detail,
        }
        self._library = model_library({limit for _, _, limit in town.speed_limits})
        self._outlines = Outlines(list(self._library.models.values()))
        self._still = static_rows(town, scenery, self._library, self.look)
        self._stage = Stage(self._context, self._library, self.look, fixed, self._seed)
        self._lens = Lens(self._context, self._stage.corners, self.look)
        self._targets = {name: CameraTarget(self._context, camera.size_px) for name, camera in self.rig.cameras.items()}
        self._selector = Selector(self._library)
        self._meter = ShareMeter(self._stage, self._selector, SilhouetteTarget(self._context, self._stage.corners))
        self._shadow_centre: tuple[float, float] | None = None

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all that lies on the graphics card; a second call does nothing."""
        if self._context is not None:
            self._context.release()
            self._context = None

    def render(self, state: WorldState) -> dict[str, CameraView]:
        """The images of all cameras at one instant, and what each shows of the road users.

        Road users that would be less than about eight pixels across are neither drawn nor listed.
        """
        crowd = self._crowd(state)
        views = {name: view_of(camera, state.town_from_vehicle) for name, camera in self.rig.cameras.items()}
        tables = DrawTables()
        skylines = {name: self._walls.skyline(view.eye_m) for name, view in views.items()}
        selected = {name: self._selector.view(tables, crowd, view, skylines[name]) for name, view in views.items()}
        ranges = {name: part[0] | self._fixed(tables, views[name], skylines[name]) for name, part in selected.items()}
        centre_m = np.round(state.town_from_vehicle[:2, 3] / _SHADOW_GRID_M) * _SHADOW_GRID_M
        shadows = self._shadow_ranges(tables, crowd, centre_m)
        soft = sprites(crowd, self._library, self.look, state.town_from_vehicle, self._plan)
        self._stage.upload(tables.instances, tables.commands, sprites=soft)
        self._draw_shadows(centre_m, shadows)
        for index, (name, view) in enumerate(views.items()):
            self._draw_view(view, ranges[name], len(soft), self._targets[name], self._noise_seed(index, state.time_s))
        images, seen = {}, {}
        for name, view in views.items():
            images[name], codes = self._targets[name].read()
            seen[name] = seen_users(view, crowd, self._outlines, *selected[name][1:], codes)
        shares = self._meter.shares(views, crowd, seen)
        return {
            name: CameraView(
                image=images[name],
                ids=state.road_users.ids[part.users],
                full_xyxy_px=part.full_px,
                visible_xyxy_px=part.shown_px,
                visible_pixels=part.pixels,
                visible_shares=shares[name],
            )
            for name, part in seen.items()
        }

    def _crowd(self, state: WorldState) -> Crowd:
        users, models = road_user_rows(state, self._library, self.look)
        if len(users) > _MAX_USERS:
            raise ValueError(f"road_users: expected at most {_MAX_USERS} at once, got {len(users)}")
        still = self._still
        still.rows["flags"][still.light_rows] = signal_flags(state.signals, still.light_signals)
        return Crowd(np.concatenate([users, still.rows]), np.concatenate([models, still.models]), len(users))

    def _noise_seed(self, camera: int, time_s: float) -> int:
        return int(np.random.SeedSequence([self._seed, camera, round(time_s * 1e6)]).generate_state(1)[0])

    def _fixed(self, tables: DrawTables, view: View, skyline: Skyline) -> dict[str, Range]:
        """Commands for the cells of houses and ground that a camera may show."""
        ranges = {}
        for what, geometry in self._stage.fixed.items():
            shown, _ = in_picture(view, geometry.centres_m, geometry.radii_m)
            shown &= ~skyline.hides(geometry.centres_m, geometry.spreads_m, geometry.tops_m)
            ranges[what] = tables.add_commands(geometry.commands(shown, view.eye_m))
        return ranges

    def _shadow_ranges(self, tables: DrawTables, crowd: Crowd, centre_m: np.ndarray) -> dict[str, Range]:
        """Commands of what casts shadows; what stands still only when the car has come to another place."""
        ranges = {"moving": self._selector.shadows(tables, crowd, centre_m, moving=True)}
        place = (float(centre_m[0]), float(centre_m[1]))
        if self._shadow_centre != place:
            ranges["still"] = self._selector.shadows(tables, crowd, centre_m, moving=False)
            houses = self._stage.fixed["house"]
            near = np.linalg.norm(houses.centres_m[:, :2] - centre_m, axis=1) < _HOUSE_SHADOW_REACH_M + houses.radii_m
            ranges["house"] = tables.add_commands(houses.commands(near, np.array([*centre_m, 0.0])))
        self._shadow_centre = place
        return ranges

    def _draw_shadows(self, centre_m: np.ndarray, ranges: Mapping[str, Range]) -> None:
        """What stands still casts its shadows once for each place, what moves at every instant."""
        stage, context = self._stage, self._context
        clip_from_town = stage.light(centre_m)
        context.enable_only(context.DEPTH_TEST)
        still, all_ = stage.shadow_targets
        if "still" in ranges:
            still.use()
            still.clear(depth=1.0)
            stage.draw("depth", *ranges["still"], clip_from_town)
            stage.draw("house-depth", *ranges["house"], clip_from_town)
        all_.use()
        stage.copy_still_shadows()
        stage.draw("depth", *ranges["moving"], clip_from_town)

    def _draw_view(
        self, view: View, ranges: Mapping[str, Range], sprite_count: int, target: CameraTarget, seed: int
    ) -> None:
        stage, context = self._stage, self._context
        stage.look_from(view.uniforms())
        # The picture is drawn upside down, so that its first row is read first: outsides turn clockwise.
        context.front_face = "cw"
        context.enable_only(context.DEPTH_TEST | context.CULL_FACE)
        target.scene.use()
        target.scene.clear()
        for what in _FRONT_TO_BACK:
            stage.draw(what, *ranges[what])
        context.enable_only(context.DEPTH_TEST)
        stage.draw_sky()
        target.colours_only.use()
        target.colours_only.depth_mask = False
        context.enable_only(context.DEPTH_TEST | context.BLEND)
        context.blend_func = context.ONE, context.ONE_MINUS_SRC_ALPHA
        stage.draw_sprites(sprite_count)
        context.enable_only(context.NOTHING)
        target.finish(self._lens, seed)
