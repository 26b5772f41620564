"""An OpenGL context without a window, or one sentence on what is missing."""

from __future__ import annotations

from typing import Any

from perception.errors import UsageError

_MIN_SAMPLES = 4


def open_context() -> Any:
    """A moderngl context through EGL, on a GPU where there is one, else in software.

    Raises ``UsageError`` naming what to install where moderngl, EGL or a driver is missing.
    """
    try:
        import moderngl
    except ImportError as error:
        raise UsageError(
            "Drawing simulated drives needs moderngl; install it with pip install 'perception[simulation]'."
        ) from error
    settings: dict[str, Any] = {"backend": "egl"}
    try:
        context = moderngl.create_standalone_context(require=430, **settings)
    except Exception as error:
        raise UsageError(
            "No OpenGL without a screen on this machine; on Debian or Ubuntu install "
            "libegl1, libgl1 and libgl1-mesa-dri (apt install libegl1 libgl1 libgl1-mesa-dri)."
        ) from error
    if context.max_samples < _MIN_SAMPLES:
        context.release()
        raise UsageError(
            f"OpenGL offers {context.max_samples} samples per pixel here, {_MIN_SAMPLES} are needed; "
            "install another driver, such as the package libgl1-mesa-dri."
        )
    return context
