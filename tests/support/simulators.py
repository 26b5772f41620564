"""Whether this machine can simulate: SUMO and OpenGL are there."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from importlib.util import find_spec

import pytest


@cache
def why_no_opengl() -> str:
    """The reason why nothing can be drawn here; empty where it can."""
    if find_spec("moderngl") is None:
        return "moderngl not installed"
    # In a process of its own: an open OpenGL makes a later import of torchvision crash.
    script = "import moderngl; moderngl.create_standalone_context(require=430, backend='egl').release()"
    tried = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    return f"no OpenGL: {tried.stderr.strip()}" if tried.returncode else ""


@cache
def why_not() -> str:
    """The reason why drives cannot be simulated here; empty when they can."""
    missing = [name for name in ("libsumo", "sumo") if find_spec(name) is None]
    return f"{', '.join(missing)} not installed" if missing else why_no_opengl()


needs_opengl = pytest.mark.skipif(bool(why_no_opengl()), reason=why_no_opengl() or "OpenGL is here")
needs_simulators = pytest.mark.skipif(bool(why_not()), reason=why_not() or "simulators are here")
