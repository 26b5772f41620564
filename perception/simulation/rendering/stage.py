"""The town on the graphics card: geometry, programs, and the passes that draw it."""

from __future__ import annotations

from typing import Any

import numpy as np

from perception.simulation.rendering.conditions import Conditions
from perception.simulation.rendering.culling.viewing import shadow_matrix
from perception.simulation.rendering.shaders import objects as shaders
from perception.simulation.rendering.shaders import screen as screen_shaders
from perception.simulation.rendering.shapes.materials import palette
from perception.simulation.rendering.shapes.models import INSTANCE_LAYOUT, VERTEX_LAYOUT, ModelLibrary
from perception.simulation.rendering.sky import SKY_EDGE, sky_picture, surface_noise
from perception.simulation.rendering.town.facades import facade_pictures

SHADOW_REACH_M = 72.0
_SHADOW_PX = 1280
_CELL_M = 32.0
_REACH_M = {"house": 700.0, "ground": 2500.0, "detail": 130.0}
_STRIP, _TRIANGLES = 5, 4
_SHADOW_UNIT, _SKY_UNIT, _NOISE_UNIT, _FACADE_UNIT = 2, 3, 4, 5

_HOUSE_LAYOUT = ("3f 3f 2f 4f1 4f1", ("position", "normal", "cell", "paint", "style"))
_GROUND_LAYOUT = ("3f 1f 1f 1f", ("position", "across", "normal_z", "cover"))


class FixedGeometry:
    """Triangles that never move, in cells of the town of which those outside a picture are left out."""

    def __init__(self, context: Any, triangles: np.ndarray, reach_m: float) -> None:
        self.reach_m = reach_m
        positions = triangles["position"].astype(float)
        cells = np.floor(positions[..., :2].mean(axis=1) / _CELL_M).astype(int)
        _, cell = np.unique(cells, axis=0, return_inverse=True)
        order = np.argsort(cell.ravel(), kind="stable")
        counts = np.bincount(cell.ravel())
        firsts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        low = np.minimum.reduceat(positions[order].min(axis=1), firsts)
        high = np.maximum.reduceat(positions[order].max(axis=1), firsts)
        self.centres_m, self.radii_m = 0.5 * (low + high), 0.5 * np.linalg.norm(high - low, axis=1)
        self.spreads_m, self.tops_m = 0.5 * np.linalg.norm(high[:, :2] - low[:, :2], axis=1), high[:, 2]
        self._commands = np.stack(
            [3 * counts, np.ones_like(counts), 3 * firsts, np.zeros_like(counts), np.zeros_like(counts)], axis=1
        ).astype(np.uint32)
        self.vertices = context.buffer(np.ascontiguousarray(triangles[order]).tobytes())
        self.indices = context.buffer(np.arange(3 * len(triangles), dtype=np.uint32).tobytes())

    def commands(self, shown: np.ndarray, view: np.ndarray) -> np.ndarray:
        """(C, 5) commands for the cells that are shown, those near the eye (3,) first."""
        distances_m = np.linalg.norm(self.centres_m - view, axis=1)
        rows = np.flatnonzero(shown & (distances_m < self.reach_m + self.radii_m))
        return self._commands[rows[np.argsort(distances_m[rows])]]


class Stage:
    """All that is on the card but for the pictures drawn into. ``fixed`` are the triangles (T, 3) of the
    "house", "ground" and "detail" programs."""

    def __init__(
        self, context: Any, library: ModelLibrary, conditions: Conditions, fixed: dict[str, np.ndarray], seed: int
    ) -> None:
        self.context, self.library, self.conditions = context, library, conditions
        self.corners = context.buffer(np.array([-1, -1, 1, -1, -1, 1, 1, 1], np.float32).tobytes())
        self.fixed = {
            name: FixedGeometry(
                context, triangles if len(triangles) else np.zeros((1, 3), triangles.dtype), _REACH_M[name]
            )
            for name, triangles in fixed.items()
        }
        self._scene = context.buffer(reserve=64 + 6 * 16)
        self._view = context.buffer(reserve=8 * 16)
        self._commands = context.buffer(reserve=20 * 4096, dynamic=True)
        self._instances = context.buffer(reserve=1 << 18, dynamic=True)
        self._tiles = context.buffer(reserve=1 << 15, dynamic=True)
        self._sprites = context.buffer(reserve=1 << 16, dynamic=True)
        self._model_vertices = context.buffer(library.vertices.tobytes())
        self._model_indices = context.buffer(library.indices.astype(np.uint32).tobytes())
        self._make_textures(seed)
        self._make_programs()
        self._make_arrays()

    def _make_textures(self, seed: int) -> None:
        context = self.context
        sky = sky_picture(self.conditions, seed)
        self._sky = context.texture(sky.shape[:2], 4, sky.tobytes())
        self._sky.build_mipmaps()
        self._sky.repeat_x = self._sky.repeat_y = False
        noise = surface_noise(seed)
        self._noise = context.texture(noise.shape[:2], 4, noise.tobytes())
        self._noise.build_mipmaps()
        facades = facade_pictures()
        self._facades = context.texture_array((facades.shape[2], facades.shape[1], len(facades)), 4, facades.tobytes())
        self._facades.build_mipmaps()
        for texture in (self._sky, self._noise, self._facades):
            texture.filter = (context.LINEAR_MIPMAP_NEAREST, context.LINEAR)
        self._shadows = [context.depth_texture((_SHADOW_PX, _SHADOW_PX)) for _ in range(2)]
        self.shadow_targets = [context.framebuffer(depth_attachment=texture) for texture in self._shadows]
        for texture in self._shadows:
            texture.repeat_x = texture.repeat_y = False
        # The first one keeps what stands still and is only copied; the second is what the scene's programs ask.
        self._shadows[0].compare_func = ""
        self._shadows[0].filter = (context.NEAREST, context.NEAREST)
        self._shadows[1].compare_func = "<="
        self._shadows[1].filter = (context.LINEAR, context.LINEAR)

    def _make_programs(self) -> None:
        pairs = {
            "solid": (shaders.SOLID_VERTEX, shaders.SOLID_FRAGMENT),
            "user": (shaders.USER_VERTEX, shaders.USER_FRAGMENT),
            "plant": (shaders.PLANT_VERTEX, shaders.PLANT_FRAGMENT),
            "house": (shaders.HOUSE_VERTEX, shaders.HOUSE_FRAGMENT),
            "ground": (shaders.GROUND_VERTEX, shaders.GROUND_FRAGMENT),
            "sky": (screen_shaders.SKY_VERTEX, screen_shaders.SKY_FRAGMENT),
            "sprite": (screen_shaders.SPRITE_VERTEX, screen_shaders.SPRITE_FRAGMENT),
            "depth": (shaders.DEPTH_VERTEX, shaders.DEPTH_FRAGMENT),
            "house-depth": (shaders.DEPTH_HOUSE_VERTEX, shaders.DEPTH_FRAGMENT),
            "copy": (screen_shaders.SCREEN_VERTEX, screen_shaders.COPY_DEPTH_FRAGMENT),
            "silhouette": (screen_shaders.SILHOUETTE_VERTEX, screen_shaders.SILHOUETTE_FRAGMENT),
        }
        # What the conditions do not need is left out: in software every line of a shader costs.
        flags = {"WET": self.conditions.wetness > 0, "LAMPS": self.conditions.lamps > 0}
        header = "#version 330" + "".join(f"\n#define {name}" for name, is_set in flags.items() if is_set)
        self._programs = {
            name: self.context.program(*(source.replace("#version 330", header) for source in sources))
            for name, sources in pairs.items()
        }
        units = {
            "depths": 0,
            "shadow_map": _SHADOW_UNIT,
            "sky": _SKY_UNIT,
            "noise": _NOISE_UNIT,
            "facades": _FACADE_UNIT,
        }
        for program in self._programs.values():
            for name, unit in units.items():
                if name in program:
                    program[name] = unit
            for block, binding in (("Scene", 0), ("View", 1)):
                if block in program:
                    program[block].binding = binding
            if "palette" in program:
                program["palette"].write(palette().tobytes())

    def _make_arrays(self) -> None:
        def array(name: str, parts: list[tuple[Any, str, tuple[str, ...]]], indices: Any = None) -> Any:
            program = self._programs["ground" if name == "detail" else name]
            content = [(buffer, *_used(layout, names, program)) for buffer, layout, names in parts]
            return self.context.vertex_array(program, content, indices, skip_errors=True)

        models = [(self._model_vertices, *VERTEX_LAYOUT), (self._instances, *INSTANCE_LAYOUT)]
        tiled = [*models, (self._tiles, "4f 4f/i", ("tile", "window"))]
        self._arrays = {name: array(name, models, self._model_indices) for name in ("solid", "user", "plant", "depth")}
        self._arrays["silhouette"] = array("silhouette", tiled, self._model_indices)
        for name, what, layout in (
            ("house", "house", _HOUSE_LAYOUT),
            ("house-depth", "house", _HOUSE_LAYOUT),
            ("ground", "ground", _GROUND_LAYOUT),
            ("detail", "detail", _GROUND_LAYOUT),
        ):
            self._arrays[name] = array(name, [(self.fixed[what].vertices, *layout)], self.fixed[what].indices)
        corner = (self.corners, "2f", ("corner",))
        self._arrays["sky"], self._arrays["copy"] = array("sky", [corner]), array("copy", [corner])
        sprite = (self._sprites, "4f 4f 4f 4f/i", ("middle_kind", "first_size", "second", "tint"))
        self._arrays["sprite"] = array("sprite", [corner, sprite])

    def upload(
        self,
        instances: np.ndarray,
        commands: np.ndarray,
        *,
        tiles: np.ndarray | None = None,
    ) -> None:
        """Hand over instances (I,) and draw commands (C, 5) in place of those before, and tiles (I, 8) of silhouettes;
        the buffers grow when there are more than ever before."""
        _fill(self._instances, instances)
        _fill(self._commands, commands.astype(np.uint32))
        if tiles is not None:
            _fill(self._tiles, tiles)

    def upload_sprites(self, sprites: np.ndarray) -> int:
        """Hand over sprites (S,) in place of those before; returns how many."""
        _fill(self._sprites, sprites)
        return len(sprites)

    def light(self, centre_m: np.ndarray) -> np.ndarray:
        """Set the light of the scene around a position (2,); returns the sun's ``clip_from_town`` (4, 4)."""
        conditions = self.conditions
        clip = shadow_matrix(conditions.sun_direction, centre_m, SHADOW_REACH_M)
        to_unit = np.array([[0.5, 0, 0, 0.5], [0, 0.5, 0, 0.5], [0, 0, 0.5, 0.5 - 0.0006], [0, 0, 0, 1]])
        block = np.zeros((10, 4), np.float32)
        block[:4] = (to_unit @ clip).T
        block[4] = (*conditions.sun_direction, 1.0)
        block[5] = (*conditions.sun, conditions.exposure)
        block[6] = (*conditions.sky_light, conditions.wetness)
        block[7] = (*conditions.ground_light, conditions.lamps)
        block[8] = (*conditions.horizon, conditions.fog_per_m)
        block[9] = (*conditions.glow, SKY_EDGE)
        self._scene.write(block.tobytes())
        self._scene.bind_to_uniform_block(0)
        return clip

    def copy_still_shadows(self) -> None:
        """Begin a shadow map with the shadows of what stands still."""
        self.context.depth_func = "1"
        self._shadows[0].use(0)
        self._arrays["copy"].render(mode=_STRIP)
        self.context.depth_func = "<"

    def look_from(self, uniforms: bytes) -> None:
        """Draw from this view from now on."""
        self._view.orphan()
        self._view.write(uniforms)
        self._view.bind_to_uniform_block(1)
        self._shadows[1].use(_SHADOW_UNIT)
        self._sky.use(_SKY_UNIT)
        self._noise.use(_NOISE_UNIT)
        self._facades.use(_FACADE_UNIT)

    def draw(self, name: str, first: int, count: int, clip_from_town: np.ndarray | None = None) -> None:
        """Run ``count`` commands from ``first`` on with a program."""
        if count == 0:
            return
        if clip_from_town is not None:
            self._programs[name]["clip_from_town"].write(clip_from_town.T.astype(np.float32).tobytes())
        self._arrays[name].render_indirect(self._commands, mode=_TRIANGLES, count=count, first=first)

    def draw_sky(self) -> None:
        """Fill what nothing covers."""
        self.context.depth_func = "<="
        self._arrays["sky"].render(mode=_STRIP)
        self.context.depth_func = "<"

    def draw_sprites(self, count: int) -> None:
        """Lay shadows and lights over the picture."""
        if count:
            self._arrays["sprite"].render(mode=_STRIP, instances=count)


def _fill(buffer: Any, rows: np.ndarray) -> None:
    data = rows.tobytes()
    buffer.orphan(max(buffer.size, len(data)))
    buffer.write(data)


def _used(layout: str, names: tuple[str, ...], program: Any) -> tuple[Any, ...]:
    """The layout with padding in place of what the program does not read, then the names that it does."""
    formats, _, rate = layout.partition("/")
    parts, kept = [], []
    for item, name in zip(formats.split(), names, strict=True):
        if name in program:
            parts.append(item)
            kept.append(name)
        else:
            kind = item.lstrip("0123456789")
            parts.append(f"{int(item[: len(item) - len(kind)]) * (1 if kind.endswith('1') else 4)}x")
    return (" ".join(parts) + (f"/{rate}" if rate else ""), *kept)
