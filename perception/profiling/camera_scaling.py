"""More or fewer cameras than a recording has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from perception.geometry.cameras import Camera, Rig
from perception.geometry.rotation import rotation_about_z
from perception.types import FrameSet


class CameraRing:
    """``count`` cameras made of those of ``rig``: the first ones, and beyond the rig's own these again, each time
    turned by half of the angle that lies between two of them.

    The pictures of a camera that stands in twice are the same; the work that they make is that of two cameras.
    """

    def __init__(self, rig: Rig, count: int) -> None:
        originals = list(rig.cameras.values())
        self._members: list[tuple[Camera, str]] = []
        for index in range(count):
            lap, original = index // len(originals), originals[index % len(originals)]
            name = original.name if lap == 0 else f"{original.name}-{lap + 1}"
            turn = np.eye(4)
            turn[:3, :3] = rotation_about_z(np.pi * lap / len(originals))
            camera = Camera(name, original.size_px, original.intrinsics, turn @ original.vehicle_from_camera)
            self._members.append((camera, original.name))
        self.rig = Rig({camera.name: camera for camera, _ in self._members}, rig.road_height_m)

    def frame_sets(self, recorded: Sequence[FrameSet]) -> Iterator[FrameSet]:
        """The recorded instants as these cameras see them, over and over, time always going on."""
        period_ns = recorded[-1].timestamp_ns - recorded[0].timestamp_ns
        period_ns += period_ns // max(1, len(recorded) - 1) or 100_000_000
        lap = 0
        while True:
            for frame_set in recorded:
                shift_ns = lap * period_ns
                images = {frame.camera: frame for frame in frame_set}
                frames = tuple(
                    replace(images[source], camera=camera.name, timestamp_ns=images[source].timestamp_ns + shift_ns)
                    for camera, source in self._members
                    if source in images
                )
                yield replace(frame_set, frames=frames, timestamp_ns=frame_set.timestamp_ns + shift_ns)
            lap += 1
