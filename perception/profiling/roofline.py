"""The roofline model (Williams et al. 2009): what this machine can do at most, and what a network asks of it."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

_MATRIX_SIZE = 1536
_COPIED_BYTES = 2**28
_REPEATS = 7


@dataclass(frozen=True)
class Roofline:
    """Peak compute and memory bandwidth, as the fastest matrix product and copy showed them: floating-point operations,
    and bytes read and written, per second."""

    flops_per_s: float
    bytes_per_s: float


@dataclass(frozen=True)
class Work:
    """Of one forward: floating-point operations (a multiplication and an addition are two) of all convolutions, and the
    bytes that they must read and write at least, each layer by itself."""

    flops: float
    bytes: float

    def min_ms(self, roofline: Roofline) -> float:
        """The roofline's bound: the larger of compute time and memory time, in milliseconds."""
        return 1e3 * max(self.flops / roofline.flops_per_s, self.bytes / roofline.bytes_per_s)


def measure_roofline(device: torch.device, dtype: torch.dtype = torch.float32) -> Roofline:
    """A product of two matrices of ``dtype``, and a copy, with as many threads as PyTorch was left."""
    size = _MATRIX_SIZE if device.type == "cpu" else 4 * _MATRIX_SIZE
    first, second = (torch.ones(size, size, dtype=dtype, device=device) for _ in range(2))
    product = torch.empty_like(first)
    source = torch.ones(_COPIED_BYTES // 4, device=device)
    target = torch.empty_like(source)
    product_s = _fastest_s(lambda: torch.mm(first, second, out=product), device)
    copy_s = _fastest_s(lambda: target.copy_(source), device)
    return Roofline(2 * size**3 / product_s, 2 * _COPIED_BYTES / copy_s)


def work_of(model: nn.Module, inputs: Tensor, dtype: torch.dtype = torch.float32) -> Work:
    """Counted over one forward of a copy of ``model`` on the CPU, for values of ``dtype``."""
    moved = 0

    def count_bytes(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal moved
        moved += dtype.itemsize * (
            given[0].numel() + output.numel() + sum(weights.numel() for weights in module.parameters())
        )

    model = copy.deepcopy(model).cpu().float().eval()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count_bytes)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(inputs)
    return Work(float(counter.get_total_flops()), float(moved))


def _synchronise(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _fastest_s(work: Callable[[], Any], device: torch.device) -> float:
    taken = []
    for _ in range(_REPEATS):
        _synchronise(device)
        start = time.perf_counter()
        work()
        _synchronise(device)
        taken.append(time.perf_counter() - start)
    return float(np.min(taken))
