"""A drive as a library's user makes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.simulators import needs_simulators

SCRIPT = """\
from pathlib import Path
from perception.simulation import Drive, DriveSettings
from perception.sources import read_rig

drive = Drive(DriveSettings(seed=1, duration_s=0.2, size_px=(64, 36)), read_rig("front"), processes={processes})
with drive:
    print(*[view.image.shape for instant in drive for view in instant.views.values()])
    for line in Path("/proc/self/maps").read_text().splitlines():
        library = line.split("/")[-1].lower()
        assert not any(name in library for name in ("llvm", "gallium", "libegl", "sumo")), line
"""


@needs_simulators
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system does not tell which libraries are loaded")
@pytest.mark.parametrize("processes", [1, 2])
def test_a_program_that_simulates_has_neither_opengl_nor_sumo_in_its_process(tmp_path: Path, processes: int) -> None:
    # Mesa's LLVM in the process of a program makes its later import of torchvision crash. No guard is needed either.
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(processes=processes), encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "(36, 64, 3) (36, 64, 3)\n"
