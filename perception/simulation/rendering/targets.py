"""The pictures that the renderer draws into and reads back."""

from __future__ import annotations

from typing import Any

import numpy as np

from perception.arrays import FloatArray
from perception.simulation.rendering.conditions import Conditions
from perception.simulation.rendering.culling.visibility import ATLAS_PX, TILE_PX
from perception.simulation.rendering.shaders import screen as shaders

SAMPLES = 4


class Samples:
    """Four samples per pixel of colours and depths, in which cameras of one size draw one after the other."""

    def __init__(self, context: Any, size_px: tuple[int, int]) -> None:
        self.size_px = size_px
        self.colours = context.texture(size_px, 4, samples=SAMPLES)
        self.depths = context.depth_renderbuffer(size_px, samples=SAMPLES)


class CameraTarget:
    """A camera's picture and codes: samples brought to pixels by ``finish``, which adds the lens's faults, and
    ``finish_codes``. Cameras that share ``samples`` must be finished before the next one begins."""

    def __init__(self, context: Any, samples: Samples) -> None:
        self.size_px = size_px = samples.size_px
        self._samples, depth = samples.colours, samples.depths
        self._sample_codes = context.texture(size_px, 1, dtype="u2", samples=SAMPLES)
        self.with_codes = context.framebuffer([self._samples, self._sample_codes], depth)
        self.scene = context.framebuffer([self._samples], depth)
        self._codes_only = context.framebuffer([self._sample_codes])
        self._picture = context.texture(size_px, 4)
        self._picture.repeat_x = self._picture.repeat_y = False
        self._resolved = context.framebuffer([self._picture])
        self._codes = context.framebuffer([context.texture(size_px, 1, dtype="u2")])
        self._final = context.framebuffer([context.texture(size_px, 4)])

    def begin(self) -> None:
        """Empty the picture, and draw into its colours from now on."""
        self._codes_only.clear()
        self.scene.use()
        self.scene.clear()

    def finish(self, lens: Lens, seed: int) -> None:
        """Bring samples to pixels and pass the picture through the lens; the same seed gives the same noise."""
        self._resolved.use()
        self._samples.use(0)
        lens.resolve(self.size_px, seed)
        self._has_blur = lens.has_blur
        if lens.has_blur:
            self._final.use()
            self._picture.use(0)
            lens.blur(self.size_px, seed)

    def finish_codes(self, lens: Lens, boxes_px: FloatArray) -> None:
        """Bring the samples' codes to pixels; beyond the boxes (N, 4) there are none."""
        self._codes.use()
        self._codes.clear()
        self._sample_codes.use(0)
        lens.resolve_codes(self.size_px, boxes_px)

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """The image (H, W, 3) uint8 and the codes (H, W) uint16."""
        width, height = self.size_px
        source = self._final if self._has_blur else self._resolved
        colours = np.frombuffer(source.read(components=3, alignment=1), np.uint8)
        raw = self._codes.read(components=1, dtype="u2", alignment=1)
        return colours.reshape(height, width, 3).copy(), np.frombuffer(raw, np.uint16).reshape(height, width)


class Lens:
    """The passes over the whole screen: from samples to pixels, and the faults of the lens and the sensor."""

    def __init__(self, context: Any, corners: Any, conditions: Conditions) -> None:
        self.has_blur = conditions.blur_px > 0
        flags = {"SHARP": not self.has_blur, "RAIN": conditions.rain > 0}
        header = "#version 330" + "".join(f"\n#define {name}" for name, is_set in flags.items() if is_set)
        self._programs = [
            context.program(shaders.SCREEN_VERTEX, fragment.replace("#version 330", header))
            for fragment in (shaders.RESOLVE_FRAGMENT, shaders.BLUR_FRAGMENT)
        ]
        values = {
            "samples": 0,
            "picture": 0,
            "faults": (conditions.noise, conditions.blur_px, conditions.vignette, conditions.rain),
            "tint": conditions.tint,
        }
        for program in self._programs:
            for name in values.keys() & set(program):
                program[name] = values[name]
        self._strips = [context.vertex_array(p, [(corners, "2f", "corner")]) for p in self._programs]

        self._boxes = context.buffer(reserve=1 << 12, dynamic=True)
        self._code_program = context.program(shaders.CODE_VERTEX, shaders.CODE_FRAGMENT)
        self._code_program["codes"] = 0
        content = [(corners, "2f", "corner"), (self._boxes, "4f/i", "box_px")]
        self._code_strips = context.vertex_array(self._code_program, content)

    def resolve_codes(self, size_px: tuple[int, int], boxes_px: FloatArray) -> None:
        """Take the code that most of a pixel's samples have, within boxes (N, 4)."""
        if not len(boxes_px):
            return
        data = boxes_px.astype(np.float32).tobytes()
        self._boxes.orphan(max(self._boxes.size, len(data)))
        self._boxes.write(data)
        self._code_program["size_px"] = size_px
        self._code_strips.render(mode=5, instances=len(boxes_px))

    def resolve(self, size_px: tuple[int, int], seed: int) -> None:
        """Average the colours of a pixel's samples."""
        self._draw(0, size_px, seed)

    def blur(self, size_px: tuple[int, int], seed: int) -> None:
        """Soften the resolved picture."""
        self._draw(1, size_px, seed)

    def _draw(self, which: int, size_px: tuple[int, int], seed: int) -> None:
        program = self._programs[which]
        if "size_px" in program:
            program["size_px"], program["seed"] = size_px, seed & 0xFFFFFFFF
        self._strips[which].render(mode=5)


class SilhouetteTarget:
    """A square of tiles in which each silhouette is drawn alone."""

    def __init__(self, context: Any, corners: Any) -> None:
        size = (ATLAS_PX, ATLAS_PX)
        self._codes = context.texture(size, 1, dtype="u2", samples=SAMPLES)
        self.scene = context.framebuffer([self._codes])
        self._final = context.framebuffer([context.texture(size, 1, dtype="u1")])
        program = context.program(shaders.SCREEN_VERTEX, shaders.COVERAGE_FRAGMENT)
        program["codes"] = 0
        self._strip = context.vertex_array(program, [(corners, "2f", "corner")])

    def begin(self, tiles: int) -> None:
        """Make room for so many tiles and draw into them from now on."""
        self._height = TILE_PX * -(-tiles // (ATLAS_PX // TILE_PX))
        self.scene.scissor = (0, 0, ATLAS_PX, self._height)
        self.scene.use()
        self.scene.clear()

    def areas(self, tiles: int) -> tuple[np.ndarray, np.ndarray]:
        """How many pixels of each tile its silhouette covers: whole ones as the id buffer counts them (tiles,), and
        parts of pixels by their samples (tiles,)."""
        self._final.scissor = (0, 0, ATLAS_PX, self._height)
        self._final.use()
        self._codes.use(0)
        self._strip.render(mode=5)
        raw = self._final.read((0, 0, ATLAS_PX, self._height), components=1, dtype="u1", alignment=1)
        covered = np.frombuffer(raw, np.uint8).reshape(-1, TILE_PX, ATLAS_PX // TILE_PX, TILE_PX)
        whole = (covered >= 8).sum(axis=(1, 3)).ravel()[:tiles]
        return whole, (covered & 7).sum(axis=(1, 3), dtype=int).ravel()[:tiles] / SAMPLES
