"""How much of a recording is kept: ``10GB`` of it, or the last ``2h``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SIZES = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
_TIMES_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_LIMIT = re.compile(rf"(\d+(?:\.\d+)?)\s*({'|'.join((*_SIZES, *_TIMES_S))})")


@dataclass(frozen=True)
class Keep:
    """What is older, or more, is deleted: ``bytes`` or ``seconds``, None where it does not limit."""

    bytes: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> Keep:
        """Of "10GB" or "2h". Raises ``ValueError`` that says what is expected."""
        match = _LIMIT.fullmatch(text.strip())
        if match is None or float(match[1]) <= 0:
            raise ValueError("expected a size or a time such as 500MB, 10GB, 30min or 2h")
        number, unit = float(match[1]), match[2]
        if unit in _SIZES:
            return cls(bytes=round(number * _SIZES[unit]))
        return cls(seconds=number * _TIMES_S[unit])
