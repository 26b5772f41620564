"""From a user's own download of a public data set to the one file that the benchmark reads; no data is shipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from perception.benchmarks.conversion.ethucy import convert_ethucy
from perception.benchmarks.conversion.jaad import convert_jaad
from perception.benchmarks.conversion.kitti import convert_kitti
from perception.benchmarks.conversion.kitti_image import convert_kitti_image
from perception.benchmarks.conversion.nuscenes import convert_nuscenes
from perception.benchmarks.conversion.readers import Advance, Converted
from perception.files import atomic_write

CONVERTERS: Mapping[str, Callable[[Path, Advance], Converted]] = {
    "jaad": convert_jaad,
    "ethucy": convert_ethucy,
    "nuscenes": convert_nuscenes,
    "kitti": convert_kitti,
    "kitti-image": convert_kitti_image,
}
"""By the benchmark's name: (folder of the download, ``advance(done, total)``) to columns."""

__all__ = ["CONVERTERS", "Advance", "Converted", "convert"]


def convert(name: str, source: Path, output: Path, advance: Advance) -> tuple[str, ...]:
    """Write the ``.npz`` of benchmark ``name`` from the download in ``source``; returns what to report to the user.

    ``output`` is written whole or not at all. Raises ``UsageError`` when something in ``source`` is missing or broken.
    """
    converted = CONVERTERS[name](source, advance)
    with atomic_write(output) as temporary:
        np.savez_compressed(temporary, **converted.columns)
    return converted.notes
