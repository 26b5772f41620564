"""Small videos and images with known content, made while the tests run."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

SIZE_PX = (96, 64)


def numbered_image(number: int, *, size_px: tuple[int, int] = SIZE_PX) -> NDArray[np.uint8]:
    """An RGB image that says its number: red holds 10 * number, green is 200 on the left half, blue is 40."""
    width, height = size_px
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = 10 * number
    image[:, : width // 2, 1] = 200
    image[..., 2] = 40
    return image


def number_of(image: NDArray[np.uint8]) -> int:
    """The number that ``numbered_image`` put in, from a lossy copy."""
    return round(float(image[..., 0].mean()) / 10)


def write_video(
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    *,
    fps: int = 10,
    times_ms: Sequence[int] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode H.264 at ``fps``, or with the given presentation times."""
    height, width = images[0].shape[:2]
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
        stream.options = {"crf": "10", "g": "10"}
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = times_ms[index] if times_ms is not None else round(index * 1000 / fps)
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_image(path: Path, image_rgb: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))
    return path
