"""Several processes that learn together, one for each GPU, started by ``torchrun``: each draws batches of its own, and
all follow the mean of their gradients (data parallelism). A step is then trained on as many batches as there are
processes, at the configuration's learning rate."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import torch
from torch import Tensor, distributed, nn

from perception.errors import UsageError

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """This process is number ``rank`` of ``count``; the first one also validates, writes and talks."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def batch_number(self, step: int) -> int:
        """Which of the task's batches this process draws at ``step``: no two processes share one."""
        return step * self.count + self.rank

    def average_gradients(self, model: nn.Module) -> None:
        """Put the mean over all processes in place of each process's own gradients."""
        if self.count == 1:
            return
        parameters = [p for p in model.parameters() if p.requires_grad]
        # A process whose batch did not reach a layer still takes part in the mean.
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.count
        parts = torch.split(flat, [p.numel() for p in parameters])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter)

    def average(self, values: dict[str, Tensor]) -> dict[str, float]:
        """The means of named scalars, the same in every process."""
        stacked = torch.stack([value.detach().float() for value in values.values()])
        if self.count > 1:
            distributed.all_reduce(stacked)
            stacked /= self.count
        return dict(zip(values, stacked.tolist(), strict=True))

    def broadcast_from_first(self, find_out: Callable[[], T]) -> T:
        """What the first process alone finds out; the others wait for it, and end with it where it fails."""
        if self.count == 1:
            return find_out()
        payload: list[tuple[T | None, str | None]] = [(None, None)]
        failure: Exception | None = None
        if self.is_first:
            try:
                payload = [(find_out(), None)]
            except Exception as error:
                payload, failure = [(None, str(error))], error
        distributed.broadcast_object_list(payload, src=0)
        value, why = payload[0]
        if failure is not None:
            raise failure
        if why is not None:
            raise SystemExit(UsageError.exit_code)  # the first one prints why
        return cast(T, value)


SINGLE_PROCESS = Processes()


def was_started_by_torchrun() -> bool:
    """Whether there are other processes to join."""
    return distributed.is_available() and distributed.is_torchelastic_launched()


def device_of_this_process(device: torch.device) -> torch.device:
    """A GPU of its own for each process of this machine; on a CPU they share it.

    Raises ``UsageError`` where there are fewer GPUs than processes.
    """
    if device.type != "cuda" or not was_started_by_torchrun():
        return device
    number, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if number >= there:
        raise UsageError(f"torchrun: starts more processes than the {there} GPUs here; give --nproc-per-node {there}.")
    return torch.device("cuda", number)


@contextmanager
def process_group(device: torch.device) -> Iterator[Processes]:
    """All processes that ``torchrun`` has started, or this one alone."""
    if not was_started_by_torchrun():
        yield SINGLE_PROCESS
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # The first process validates, and all read their pictures, before they meet again.
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(hours=2))
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
