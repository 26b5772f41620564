"""Draws a town and its road users as every camera of a rig sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from perception.errors import UsageError
from perception.geometry.cameras import Rig
from perception.geometry.distortion import distort
from perception.simulation.rendering.conditions import Conditions
from perception.simulation.rendering.context import open_context
from perception.simulation.rendering.culling.occlusion import Walls
from perception.simulation.rendering.culling.outlines import OutlineTable
from perception.simulation.rendering.culling.selection import DrawTables, InstanceTable, Range, Selector, VisibleSet
from perception.simulation.rendering.culling.viewing import PinholeView, in_picture, view_of
from perception.simulation.rendering.instances import road_user_rows, signal_flags, static_rows
from perception.simulation.rendering.measuring import ShareMeter, outlined_users, seen_users
from perception.simulation.rendering.shapes.models import model_library
from perception.simulation.rendering.sprites import sprites
from perception.simulation.rendering.stage import Stage
from perception.simulation.rendering.targets import CameraTarget, Lens, Samples, SilhouetteTarget
from perception.simulation.rendering.town.buildings import HOUSE_VERTEX, house_triangles
from perception.simulation.rendering.town.ground import detail_triangles, ground_triangles, surface_map
from perception.simulation.rendering.town.scenery import furnish
from perception.simulation.world import CameraView, Town, WorldState
from perception.sources.files.masks import MAX_MASK_ID

_SHADOW_GRID_M = 16.0
_HOUSE_SHADOW_REACH_M = 160.0
_FRONT_TO_BACK = ("solid", "house", "plant", "detail", "ground")
_MAX_USERS = 65_000


class Renderer:
    """``render`` gives what each camera of ``rig`` sees of ``town`` at an instant.

    OpenGL is opened in this process, where torchvision may crash from then on: ``ParallelRenderer`` is for all others.
    ``seed`` chooses houses, trees and the grain of surfaces and sensors, ``conditions`` light and weather
    (without it, the seed chooses). ``masks`` adds the masks of the road users. The same arguments and states give the
    same pictures on one machine. Raises ``UsageError`` where OpenGL or moderngl are missing.
    """

    def __init__(
        self, town: Town, rig: Rig, *, seed: int, conditions: Conditions | None = None, masks: bool = False
    ) -> None:
        self.rig = rig
        self._masks = masks
        self.conditions = conditions or Conditions.sample(seed)
        self._seed = seed
        self._context: Any = open_context()
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
        self._outlines = OutlineTable(list(self._library.models.values()))
        self._still = static_rows(town, scenery, self._library, self.conditions)
        self._stage = Stage(self._context, self._library, self.conditions, fixed, self._seed)
        self._lens = Lens(self._context, self._stage.corners, self.conditions)
        cameras = self.rig.cameras
        samples = {size: Samples(self._context, size) for size in {camera.size_px for camera in cameras.values()}}
        self._targets = {name: CameraTarget(self._context, samples[cameras[name].size_px]) for name in cameras}
        self._selector = Selector(self._library)
        self._meter = ShareMeter(self._stage, self._selector, SilhouetteTarget(self._context, self._stage.corners))
        self._shadow_centre: tuple[float, float] | None = None

    def render(self, state: WorldState) -> dict[str, CameraView]:
        """The images of all cameras at one instant, and what each shows of the road users.

        Road users that would be less than about eight pixels across are neither drawn nor listed.
        """
        instances = self._instance_table(state)
        views = {name: view_of(camera, state.town_from_vehicle) for name, camera in self.rig.cameras.items()}
        self._draw_shadows(instances, np.round(state.town_from_vehicle[:2, 3] / _SHADOW_GRID_M) * _SHADOW_GRID_M)
        sprite_count = self._stage.upload_sprites(
            sprites(instances, self._library, self.conditions, state.town_from_vehicle, self._plan)
        )
        # Camera by camera, so that one is chosen for while the one before is still being drawn.
        chosen = {}
        for index, (name, view) in enumerate(views.items()):
            chosen[name], ranges = self._choose(instances, view)
            self._draw_view(view, ranges, sprite_count, self._targets[name], self._noise_seed(index, state.time_s))
        outlined = {name: outlined_users(view, instances, self._outlines, chosen[name]) for name, view in views.items()}
        for name, target in self._targets.items():
            target.finish_codes(self._lens, outlined[name].code_boxes_px())
        # What code 0 and those of the road users stand for in a mask.
        meanings = np.concatenate([[0], 1 + state.road_users.ids]).astype(np.uint16)
        images, seen, masks = {}, {}, {}
        for name in views:
            images[name], codes = self._targets[name].read()
            seen[name] = seen_users(outlined[name], instances, codes)
            masks[name] = meanings[codes] if self._masks else None
        shares = self._meter.shares(views, instances, seen)
        return {
            name: CameraView(
                image=distort(images[name], self.rig.cameras[name]),
                ids=state.road_users.ids[part.users],
                full_xyxy_px=part.full_px,
                visible_xyxy_px=part.shown_px,
                visible_pixels=part.pixels,
                visible_shares=shares[name],
                mask=masks[name],
            )
            for name, part in seen.items()
        }

    def _instance_table(self, state: WorldState) -> InstanceTable:
        users, models = road_user_rows(state, self._library, self.conditions)
        if len(users) > _MAX_USERS:
            raise ValueError(f"road_users: expected at most {_MAX_USERS} at once, got {len(users)}")
        if self._masks and state.road_users.ids.max(initial=0) > MAX_MASK_ID:
            raise UsageError("a drive with so many road users has none; make it shorter.", field="masks")
        still = self._still
        still.rows["flags"][still.light_rows] = signal_flags(state.signals, still.light_signals)
        return InstanceTable(np.concatenate([users, still.rows]), np.concatenate([models, still.models]), len(users))

    def _noise_seed(self, camera: int, time_s: float) -> int:
        return int(np.random.SeedSequence([self._seed, camera, round(time_s * 1e6)]).generate_state(1)[0])

    def _choose(self, instances: InstanceTable, view: PinholeView) -> tuple[VisibleSet, dict[str, Range]]:
        """Hand over what a camera may show, with the cells of houses and ground; also returns all ranges by program."""
        tables, skyline = DrawTables(), self._walls.skyline(view.eye_m)
        choice = self._selector.view(tables, instances, view, skyline)
        ranges = dict(choice.ranges)
        for what, geometry in self._stage.fixed.items():
            shown, _ = in_picture(view, geometry.centres_m, geometry.radii_m)
            shown &= ~skyline.hides(geometry.centres_m, geometry.spreads_m, geometry.tops_m)
            ranges[what] = tables.add_commands(geometry.commands(shown, view.eye_m))
        self._stage.upload(tables.instances, tables.commands)
        return choice, ranges

    def _draw_shadows(self, instances: InstanceTable, centre_m: np.ndarray) -> None:
        """What stands still casts its shadows once for each position (2,), what moves at every instant."""
        stage, context, tables = self._stage, self._context, DrawTables()
        position = (float(centre_m[0]), float(centre_m[1]))
        is_new_position = self._shadow_centre != position
        self._shadow_centre = position
        moving = self._selector.shadows(tables, instances, centre_m, moving=True)
        if is_new_position:
            still = self._selector.shadows(tables, instances, centre_m, moving=False)
            houses = stage.fixed["house"]
            near = np.linalg.norm(houses.centres_m[:, :2] - centre_m, axis=1) < _HOUSE_SHADOW_REACH_M + houses.radii_m
            walls = tables.add_commands(houses.commands(near, np.array([*centre_m, 0.0])))
        stage.upload(tables.instances, tables.commands)
        clip_from_town = stage.light(centre_m)
        context.enable_only(context.DEPTH_TEST)
        only_still, all_ = stage.shadow_targets
        if is_new_position:
            only_still.use()
            only_still.clear(depth=1.0)
            stage.draw("depth", *still, clip_from_town)
            stage.draw("house-depth", *walls, clip_from_town)
        all_.use()
        stage.copy_still_shadows()
        stage.draw("depth", *moving, clip_from_town)

    def _draw_view(
        self, view: PinholeView, ranges: Mapping[str, Range], sprite_count: int, target: CameraTarget, seed: int
    ) -> None:
        stage, context = self._stage, self._context
        stage.look_from(view.uniforms())
        # The picture is drawn upside down, so that its first row is read first: outsides turn clockwise.
        context.front_face = "cw"
        context.enable_only(context.DEPTH_TEST | context.CULL_FACE)
        target.begin()
        for what in _FRONT_TO_BACK:
            stage.draw(what, *ranges[what])
        # Only road users write codes: they come last, where nothing is in front of them.
        target.with_codes.use()
        stage.draw("user", *ranges["user"])
        target.scene.use()
        context.enable_only(context.DEPTH_TEST)
        stage.draw_sky()
        target.scene.depth_mask = False
        context.enable_only(context.DEPTH_TEST | context.BLEND)
        context.blend_func = context.ONE, context.ONE_MINUS_SRC_ALPHA
        stage.draw_sprites(sprite_count)
        target.scene.depth_mask = True
        context.enable_only(context.NOTHING)
        target.finish(self._lens, seed)
