"""Tasks for engines: functions of a module, so that other processes find them."""

from __future__ import annotations

import os
from pathlib import Path

from perception.errors import PerceptionError, UsageError


def squared(task: tuple[str, int]) -> int:
    """The square of a number, or what the word asks for in its place."""
    word, number = task
    if word == "wrong":
        raise UsageError(f"{number}: is wrong; correct it.")
    if word == "broken":
        raise PerceptionError(f"{number}: broke.")
    if word == "unexpected":
        raise KeyError(number)
    if word == "dies":
        os._exit(3)
    if word.startswith("once:"):
        mark = Path(word.removeprefix("once:"))
        if not mark.exists():
            mark.touch()
            raise PerceptionError(f"{number}: broke once.")
    return number * number
