"""Whether this machine can simulate: SUMO and OpenGL are there."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import pytest


@cache
def why_not() -> str:
    """The reason why drives cannot be simulated here; empty when they can."""
    missing = [name for name in ("libsumo", "sumo", "moderngl") if find_spec(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed"
    import moderngl

    try:
        moderngl.create_standalone_context(backend="egl").release()
    except Exception as error:
        return f"no OpenGL: {error}"
    return ""


needs_simulators = pytest.mark.skipif(bool(why_not()), reason=why_not() or "simulators are here")
