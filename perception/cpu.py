"""How much of the machine this process may use, and the settings that make networks fast on a processor."""

from __future__ import annotations

import ctypes
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


def has_16_bit_arithmetic() -> bool:
    """Whether this processor multiplies 16-bit numbers itself; others take many times as long as with 32 bits."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def prepare_processor() -> None:
    """What every command does before a network computes on a processor."""
    limit_threads()
    keep_freed_memory()


def limit_threads() -> None:
    """Use no more threads than this process has processors: in a container torch counts those of the whole machine."""
    import torch  # here, because other users of this module need not wait for it

    processors = available_processors()
    if torch.get_num_threads() > processors:
        torch.set_num_threads(processors)


def keep_freed_memory() -> None:
    """Let this process keep large blocks that it has freed, where the C library is glibc.

    By default glibc gives each block of more than 32 MB back at once. Every layer of a network then gets its memory
    anew from the system, zeroed page by page: about half of the time of a forward pass of six images on two cores.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, another system
        return
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # the names of malloc.h
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 2**26)
