"""How large an input may be: every limit has its number here, and is checked before anything is decoded or built.

Each is far beyond what honest files hold, and far below what would fill the memory of a small machine.
"""

from __future__ import annotations

from perception.errors import UsageError

MAX_CONFIG_BYTES = 1 << 18
"""YAML and INI files, model cards, rigs."""
MAX_TABLE_BYTES = 2 << 30
"""JSON, CSV, text and XML tables; the largest public one, of a whole data set, has 1.2 GB."""
MAX_PICTURE_BYTES = 512 << 20
MAX_WEIGHTS_BYTES = 4 << 30
MAX_HEADER_BYTES = 8 << 20
"""The header of a safetensors file."""
MAX_PICTURE_PIXELS = 1 << 27
"""134 megapixels: 400 MB once decoded."""
MAX_PICTURE_SCANS = 500
"""Of a progressive JPEG, each of which costs a pass over all of its pixels."""
MAX_DEPTH = 100
"""How many lists and mappings may stand within one another in YAML and JSON."""
MAX_ALIASED_VALUES = 100_000
"""What the aliases of a YAML file may add to the values that are written in it: ten short lines can make billions."""
MAX_DIGITS = 100
"""Of a whole number in YAML and JSON."""
MAX_NUMBER = 9e18
"""Of any number that is measured: it fits 64 bits as a whole number, and its square 32 bits as a real one."""
MAX_WORD_LENGTH = 1000
"""Of a field in a table; an array of words has the width of its longest one in every row."""
MAX_FOREIGN_MEMORY_BYTES = 8 << 30
"""Address space of the process that tries a foreign network."""
MAX_FOREIGN_S = 60.0
"""Time of the same process."""


def is_too_large(size_px: tuple[int, int]) -> bool:
    """Whether a picture of (width, height) pixels is beyond ``MAX_PICTURE_PIXELS``."""
    return size_px[0] * size_px[1] > MAX_PICTURE_PIXELS


def check_picture_size(what: str, size_px: tuple[int, int]) -> None:
    """Raise ``UsageError`` for ``what`` (the beginning of the sentence) when its (width, height) is too large."""
    if is_too_large(size_px):
        raise UsageError(
            f"{what}: has {size_px[0]} x {size_px[1]} pixels, more than the {MAX_PICTURE_PIXELS // 1_000_000} million "
            "that are read; scale it down."
        )
