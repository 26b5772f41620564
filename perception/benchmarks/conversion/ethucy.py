"""ETH/UCY from the text files of Social-GAN or Trajectron++: frame, pedestrian, x and y in metres, one row each.

Files are found by name anywhere below the folder: ``biwi_eth.txt`` and so on, as in ``raw/all_data`` and the ``test``
folders, else a scene's ``_train.txt`` and ``_val.txt`` together. Pellegrini et al., "You'll never walk alone", ICCV
2009; Lerner et al., "Crowds by example", 2007; Gupta et al., "Social GAN", CVPR 2018.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from perception.arrays import FloatArray
from perception.benchmarks.conversion.readers import Advance, Converted, checked_folder, read_numbers, whole_numbers
from perception.errors import UsageError, counted

SCENES = (
    "biwi_eth", "biwi_hotel", "crowds_zara01", "crowds_zara02", "crowds_zara03", "students001", "students003",
    "uni_examples",
)  # fmt: skip
_COLUMNS = ("frame", "pedestrian", "x", "y")
_FRAMES_PER_STEP = 10
_TRAINING_SHARE = 0.8
_UNITS_PER_METRE = 10_000


def convert_ethucy(source: Path, advance: Advance) -> Converted:
    """Of each scene: rows by frame and pedestrian, x and y in 0.1 mm, and the first frame of its last fifth.

    ``<scene>_val_from`` is the frame at 80 % of a scene's instants, where Social-GAN's ``_val.txt`` files begin.
    Raises ``UsageError`` naming the file that is missing, or file and line that are broken.
    """
    folder = checked_folder(source, "ETH/UCY")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.txt")):
        found.setdefault(path.stem, path)
    columns = {}
    rows = 0
    for number, scene in enumerate(SCENES):
        table = _scene(folder, found, scene)
        frames, ids = whole_numbers(table[:, :2], np.int32, folder / f"{scene}.txt").T
        instants = np.unique(frames)
        columns[f"{scene}_frame"] = frames
        columns[f"{scene}_id"] = ids
        columns[f"{scene}_xy"] = whole_numbers(table[:, 2:] * _UNITS_PER_METRE, np.int32, folder / f"{scene}.txt")
        columns[f"{scene}_val_from"] = instants[int(_TRAINING_SHARE * len(instants))]
        rows += len(table)
        advance(number + 1, len(SCENES))
    return Converted(columns, (f"{counted(len(SCENES), 'scene')}, {counted(rows, 'position')}.",))


def _scene(folder: Path, found: dict[str, Path], scene: str) -> FloatArray:
    """(M, 4): frame, pedestrian, x and y in metres, ordered by frame and pedestrian."""
    if scene in found:
        paths = [found[scene]]
    else:
        paths = [found[name] for name in (f"{scene}_train", f"{scene}_val") if name in found]
        if len(paths) < 2:
            raise UsageError(
                f"{folder}: holds neither {scene}.txt nor both {scene}_train.txt and {scene}_val.txt; add them, as in "
                "the data of Social-GAN."
            )
    tables = [_rows(path) for path in paths]
    table = np.concatenate(tables)
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    twice = (np.diff(table[:, :2], axis=0) == 0).all(axis=1)
    if twice.any():
        frame, pedestrian = table[:-1, :2][twice][0]
        raise UsageError(f"{paths[-1]}: pedestrian {pedestrian:g} is twice in frame {frame:g}; keep one of the rows.")
    return table


def _rows(path: Path) -> FloatArray:
    table = read_numbers(path, _COLUMNS)
    if not len(table):
        raise UsageError(f"{path}: has no rows; download it again.")
    faulty = (table[:, 0] % _FRAMES_PER_STEP != 0) | (table[:, 1] % 1 != 0)
    if faulty.any():
        frame, pedestrian = table[faulty][0, :2]
        raise UsageError(
            f"{path}: has frame {frame:g} of pedestrian {pedestrian:g}, but frames must be multiples of "
            f"{_FRAMES_PER_STEP} (0.4 s) and pedestrians whole numbers; give the file as Social-GAN published it."
        )
    return table
