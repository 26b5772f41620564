"""Which frame rates can be true: others come of times in another unit than the file's."""

from __future__ import annotations

from perception.errors import UsageError

SLOWEST_FPS, FASTEST_FPS = 0.1, 1000.0


def is_possible(rate_fps: float) -> bool:
    """Whether a camera may take so many frames per second."""
    return SLOWEST_FPS <= rate_fps <= FASTEST_FPS


def check_rate(rate_fps: float, where: str, *, wanted: str) -> None:
    """Raise ``UsageError`` naming ``where`` the times stand and the unit that is ``wanted`` for an impossible rate."""
    if not is_possible(rate_fps):
        raise UsageError(
            f"{where}: gives {rate_fps:.3g} frames per second, expected {SLOWEST_FPS:g} to {FASTEST_FPS:g}; "
            f"give {wanted}."
        )
