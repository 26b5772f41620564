"""How much of the machine this process may use."""

from __future__ import annotations

import os
from pathlib import Path


def available_processors(cgroup: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Processors that the operating system and the container's quota leave to this process."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = cgroup.read_text(encoding="ascii").split()
        return max(1, min(allowed, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or the quota "max"
        return allowed
