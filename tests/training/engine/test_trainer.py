import numpy as np
import pytest
import torch
from torch import nn

from perception.errors import UsageError
from perception.training.engine.plots import plot_curves
from perception.training.engine.trainer import (
    CHECKPOINT_NAME,
    Task,
    TrainingSettings,
    Validation,
    learning_rate_at,
    train,
)

CPU = torch.device("cpu")


def _settings(**changes) -> TrainingSettings:
    values = {
        "steps": 60,
        "learning_rate": 0.05,
        "warmup_steps": 5,
        "validate_every": 20,
        "save_every": 10,
        "half": False,
    }
    return TrainingSettings(**{**values, "ema_decay": 0.5, **changes})


def _task(*, scores=None, fail_at: int | None = None, seed: int = 0) -> Task:
    """Learn y = 2 x; optionally with given validation scores, or interrupted at a step."""
    torch.manual_seed(seed)
    scores = iter(scores) if scores is not None else None

    def draw(step: int) -> torch.Tensor:
        if step == fail_at:
            raise KeyboardInterrupt
        return torch.from_numpy(np.random.default_rng([0, step]).normal(size=(16, 1))).float()

    def compute_loss(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"total": (model(x) - 2 * x).square().mean()}

    def validate(model: nn.Module) -> Validation:
        x = torch.linspace(-1, 1, 9)[:, None]
        with torch.no_grad():
            loss = float((model(x) - 2 * x).square().mean())
        return Validation(loss, next(scores) if scores is not None else -loss, {})

    return Task(nn.Linear(1, 1), draw, compute_loss, validate)


def test_gradient_descent_learns_and_both_losses_are_written(tmp_path):
    model, history = train(_task(), _settings(steps=200), folder=tmp_path, device=CPU)
    assert history.validation[-1]["loss"] < 0.02 < history.validation[0]["loss"]
    assert model.weight.item() == pytest.approx(2, abs=0.15)
    assert (tmp_path / "history.json").is_file()
    plot_curves(history, tmp_path / "curves.png", title="test")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(tmp_path):
    whole, _ = train(_task(), _settings(), folder=tmp_path / "whole", device=CPU)
    with pytest.raises(KeyboardInterrupt):
        train(_task(fail_at=37), _settings(), folder=tmp_path / "parts", device=CPU)
    resumed, history = train(_task(seed=99), _settings(), folder=tmp_path / "parts", device=CPU)
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), rtol=0, atol=0)
    assert [entry["step"] for entry in history.validation] == [20, 40, 60]


def test_early_stopping_keeps_the_best_weights(tmp_path):
    model, history = train(
        _task(scores=[1.0, 3.0, 2.0, 2.5, 9.0]), _settings(steps=100, patience=2), folder=tmp_path, device=CPU
    )
    assert history.stopped_early
    assert history.best_step == 40
    assert len(history.validation) == 4
    until_best, _ = train(_task(), _settings(steps=100, patience=2), folder=tmp_path / "free", device=CPU)
    assert not torch.equal(model.weight, until_best.weight)


def test_weight_decay_pulls_weights_to_zero(tmp_path):
    free, _ = train(_task(), _settings(weight_decay=0.0), folder=tmp_path / "a", device=CPU)
    pulled, _ = train(_task(), _settings(weight_decay=3.0), folder=tmp_path / "b", device=CPU)
    assert abs(pulled.weight.item()) < abs(free.weight.item()) - 0.1


def test_the_learning_rate_rises_and_falls():
    settings = _settings(steps=100, warmup_steps=10, learning_rate=1.0, final_learning_rate_share=0.1)
    rates = [learning_rate_at(step, settings) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.1, abs=0.01)
    assert rates == sorted(rates[:10]) + sorted(rates[10:], reverse=True)


def test_a_damaged_or_foreign_checkpoint_is_refused(tmp_path):
    (tmp_path / CHECKPOINT_NAME).write_bytes(b"not a checkpoint")
    with pytest.raises(UsageError, match="not a checkpoint"):
        train(_task(), _settings(), folder=tmp_path, device=CPU)


def test_a_resumed_training_may_not_change_its_settings(tmp_path):
    train(_task(), _settings(), folder=tmp_path, device=CPU)
    with pytest.raises(UsageError, match="learning_rate"):
        train(_task(), _settings(learning_rate=0.01), folder=tmp_path, device=CPU)


def test_a_part_may_learn_at_a_share_of_the_rate(tmp_path):
    moved = {}
    for pace in (1.0, 0.1, 0.0):
        folder = tmp_path / str(pace)
        folder.mkdir()
        task = _task(seed=3)
        task.lr_multipliers = {"weight": pace}
        start = task.model.weight.item()
        model, _ = train(task, _settings(steps=10, ema_decay=0, weight_decay=0), folder=folder, device=CPU)
        moved[pace] = abs(model.weight.item() - start)
    assert moved[0.0] == 0 < moved[0.1] < 0.3 * moved[1.0]
