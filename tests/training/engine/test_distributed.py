"""Two processes learn what one learns from both their batches."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from support.two_processes import run_two_processes
from torch import nn

from perception.training.engine.distributed import SINGLE_PROCESS, process_group
from perception.training.engine.trainer import CHECKPOINT_NAME, Task, TrainingSettings, Validation, train

CPU = torch.device("cpu")
SETTINGS = TrainingSettings(
    steps=30, learning_rate=0.05, warmup_steps=5, validate_every=10, save_every=10, patience=2, half=False
)


def line_task(batches_at_once: int) -> Task[torch.Tensor]:
    """Learn y = 2 x, from several batches together; the third validation is the second one that is worse."""
    torch.manual_seed(0)
    scores = iter([3.0, 2.0, 1.0])

    def draw(number: int) -> torch.Tensor:
        parts = range(number * batches_at_once, (number + 1) * batches_at_once)
        return torch.cat([torch.randn(8, 1, generator=torch.Generator().manual_seed(part)) for part in parts])

    def compute_loss(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"total": (model(x) - 2 * x).square().mean()}

    return Task(nn.Linear(1, 1), draw, compute_loss, lambda model: Validation(0.0, next(scores), {}))


def learn(folder: Path) -> None:
    """What each process runs."""
    with process_group(CPU) as processes:
        assert processes.count == 2
        mine = folder / f"rank{processes.rank}"
        mine.mkdir()
        model, history = train(line_task(1), SETTINGS, folder=mine, device=CPU, processes=processes)
        torch.save({"weights": model.state_dict(), "stopped": history.stopped_early}, mine / "end.pt")
        torch.save(history.training, mine / "losses.pt")


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this PyTorch cannot join processes")
def test_two_processes_learn_what_one_learns_from_both_batches(tmp_path: Path) -> None:
    for done in run_two_processes([sys.executable, __file__, tmp_path], tmp_path):
        assert done.returncode == 0, done.stderr[-2000:]
    whole, history = train(line_task(2), SETTINGS, folder=tmp_path / "whole", device=CPU, processes=SINGLE_PROCESS)
    first = torch.load(tmp_path / "rank0" / "end.pt", weights_only=True)
    assert history.stopped_early and first["stopped"]
    torch.testing.assert_close(first["weights"], whole.state_dict(), rtol=1e-5, atol=1e-6)
    assert torch.load(tmp_path / "rank1" / "end.pt", weights_only=True)["stopped"]
    losses = torch.load(tmp_path / "rank0" / "losses.pt", weights_only=True)
    assert losses[-1]["total"] == pytest.approx(history.training[-1]["total"], rel=1e-4)
    assert (tmp_path / "rank0" / CHECKPOINT_NAME).is_file() and not (tmp_path / "rank1" / CHECKPOINT_NAME).exists()


def test_a_process_alone_changes_nothing() -> None:
    model = nn.Linear(2, 1)
    model(torch.ones(1, 2)).sum().backward()
    before = model.weight.grad.clone()
    SINGLE_PROCESS.average_gradients(model)
    assert torch.equal(model.weight.grad, before)
    assert SINGLE_PROCESS.batch_number(7) == 7 and SINGLE_PROCESS.broadcast_from_first(lambda: 5) == 5
    with process_group(CPU) as processes:
        assert processes == SINGLE_PROCESS


if __name__ == "__main__":
    learn(Path(sys.argv[1]))
