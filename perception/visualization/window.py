"""Pictures in a window, where there is a screen."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
from numpy.typing import NDArray

_PROBE = "import cv2; cv2.namedWindow('probe', cv2.WINDOW_NORMAL); cv2.waitKey(1); cv2.destroyAllWindows()"
_PROBE_TIMEOUT_S = 20
_QUIT_KEYS = (ord("q"), ord("Q"), 27)


class Window:
    """One window on the screen. Use ``Window.open``."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._is_sized = False
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)

    @classmethod
    def open(cls, title: str) -> tuple[Window | None, str]:
        """The window and an empty text; or None and the reason why there can be none, for the user to read."""
        if reason := unavailable_reason():
            return None, reason
        # The fonts that Qt does not find in OpenCV's wheel are no concern of the user; Qt reads this when it starts.
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")
        try:
            return cls(title), ""
        except cv2.error as error:
            return None, f"OpenCV cannot open a window ({getattr(error, 'err', None) or error})"

    def show(self, picture: NDArray[np.uint8]) -> bool:
        """Show ``picture`` (H, W, 3), uint8 RGB; False when q or Esc was pressed or the window was closed."""
        if self._is_sized and self._is_closed():
            return False
        if not self._is_sized:
            cv2.resizeWindow(self._title, picture.shape[1], picture.shape[0])
        cv2.imshow(self._title, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        self._is_sized = True
        if cv2.waitKey(1) & 0xFF in _QUIT_KEYS:
            return False
        return not self._is_closed()

    def close(self) -> None:
        """Close the window; safe to call when the user has closed it."""
        if not self._is_closed():
            cv2.destroyWindow(self._title)

    def _is_closed(self) -> bool:
        try:
            return bool(cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1)
        except cv2.error:
            return True


def unavailable_reason() -> str:
    """Why no window can be opened here; empty when one can."""
    gui = next((line for line in cv2.getBuildInformation().splitlines() if line.strip().startswith("GUI:")), "")
    if gui.split(":")[-1].strip() == "NONE":
        return "this OpenCV has no windows (opencv-python-headless is installed in place of opencv-python)"
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "there is no screen (DISPLAY is not set)"
    try:
        # Qt ends the whole process when it cannot reach the screen, so another process tries first.
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, timeout=_PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "the screen does not answer"
    return "" if probe.returncode == 0 else "the screen cannot be reached"
