"""Gradient descent, once, for both networks: batches in, the best weights out, resumable at any moment."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from perception.errors import UsageError
from perception.files import atomic_write, read_json, write_json
from perception.training.engine.distributed import SINGLE_PROCESS, Processes

BatchT = TypeVar("BatchT")
CHECKPOINT_NAME = "checkpoint.pt"
HISTORY_NAME = "history.json"
TRAINING_LOSS = "loss on training data"
"""The name of a validation's figure: the loss on a part of the training data, measured as on the validation data."""

_MAY_CHANGE = ("steps", "patience", "validate_every", "save_every")


class TrainingSettings(BaseModel):
    """How the weights are optimised. Dropout belongs to the networks, all else that keeps from overfitting is here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(10_000, gt=0)
    batch_size: int = Field(8, gt=0)
    learning_rate: float = Field(1e-3, gt=0, allow_inf_nan=False)
    final_learning_rate_share: float = Field(0.02, ge=0, le=1)
    warmup_steps: int = Field(300, ge=0)
    weight_decay: float = Field(0.02, ge=0, allow_inf_nan=False, description="regularisation of AdamW; 0 is off")
    ema_decay: float = Field(0.9995, ge=0, lt=1, description="exponential moving average of the weights; 0 is off")
    clip_norm: float = Field(10.0, gt=0, allow_inf_nan=False)
    validate_every: int = Field(500, gt=0)
    save_every: int = Field(200, gt=0, description="checkpoint interval in steps")
    patience: int | None = Field(
        None, gt=0, description="early stopping: validations without an improvement; off when null"
    )
    half: bool = Field(True, description="forward in bfloat16")
    seed: int = Field(0, ge=0)


@dataclass(frozen=True)
class Validation:
    """``loss`` on data that was not trained on; ``score``, higher is better, by which weights are chosen."""

    loss: float
    score: float
    figures: dict[str, float]


@dataclass
class History:
    """What happened so far; written beside the weights as ``history.json``."""

    training: list[dict[str, float]] = field(default_factory=list)
    validation: list[dict[str, Any]] = field(default_factory=list)
    best_step: int = 0
    best_score: float = -math.inf
    stopped_early: bool = False

    @property
    def validations_since_best(self) -> int:
        return sum(1 for entry in self.validation if entry["step"] > self.best_step)


@dataclass
class Task(Generic[BatchT]):
    """What is trained: ``sample_batch(step)``, the same for the same step; ``compute_loss(model, batch)``, which
    returns named scalars with ``total`` among them; and ``validate(model)``.

    ``lr_multipliers`` scale the learning rate of parts of the model, by the prefix of their parameters' names: what is
    trained already may learn more slowly than what is new."""

    model: nn.Module
    sample_batch: Callable[[int], BatchT]
    compute_loss: Callable[[nn.Module, BatchT], dict[str, Tensor]]
    validate: Callable[[nn.Module], Validation]
    lr_multipliers: Mapping[str, float] = field(default_factory=dict)


def train(
    task: Task[BatchT],
    settings: TrainingSettings,
    *,
    folder: Path,
    device: torch.device,
    on_step: Callable[[int, History], None] = lambda step, history: None,
    processes: Processes = SINGLE_PROCESS,
) -> tuple[nn.Module, History]:
    """Train until the steps are done or early stopping ends it; returns the best averaged model and the history.

    ``folder`` holds the checkpoint; where one is found there, training goes on from it. Ctrl-C saves one and is
    raised on. Of several processes the first alone validates, writes, and returns what was best.
    """
    torch.manual_seed(settings.seed + processes.rank)
    model = task.model.to(device)
    average = copy.deepcopy(model).eval().requires_grad_(False)
    best = copy.deepcopy(average)
    optimizer = torch.optim.AdamW(
        _parameter_groups(model, settings.weight_decay, task.lr_multipliers), lr=settings.learning_rate
    )
    history, first_step = History(), 0
    state = {"model": model, "average": average, "best": best, "optimizer": optimizer}
    checkpoint = folder / CHECKPOINT_NAME
    if checkpoint.is_file():
        first_step, history = _load(checkpoint, state, settings, device)

    def sample_batch(step: int) -> BatchT:
        return task.sample_batch(processes.batch_number(step))

    running = dict(history.training[-1]) if history.training else {}
    running.pop("step", None)
    done = first_step
    try:
        for step, batch in _prefetched(sample_batch, first_step, settings.steps):
            model.train()
            for group in optimizer.param_groups:
                group["lr"] = group.get("lr_multiplier", 1.0) * learning_rate_at(step, settings)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=settings.half):
                losses = task.compute_loss(model, batch)
            optimizer.zero_grad(set_to_none=True)
            losses["total"].backward()  # type: ignore[no-untyped-call]
            processes.average_gradients(model)
            nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
            optimizer.step()
            # Early averages would remember the random start, so the decay grows with the steps made.
            decay = min(settings.ema_decay, (1 + step) / (10 + step))
            ema_update(average, model, decay)
            for name, value in processes.average(losses).items():
                running[name] = running.get(name, value) * 0.98 + 0.02 * value
            done = step + 1
            if done % 20 == 0:
                history.training.append({"step": done, **running})
            is_time_to_validate = done % settings.validate_every == 0 or done == settings.steps
            if is_time_to_validate and processes.is_first:
                validation = task.validate(average)
                history.validation.append(
                    {"step": done, "loss": validation.loss, "score": validation.score, **validation.figures}
                )
                if validation.score > history.best_score:
                    history.best_score, history.best_step = validation.score, done
                    best.load_state_dict(average.state_dict())
                history.stopped_early = (
                    settings.patience is not None and history.validations_since_best >= settings.patience
                )
                write_json(folder / HISTORY_NAME, asdict(history))
            if is_time_to_validate:
                history.stopped_early = processes.broadcast_from_first(lambda: history.stopped_early)
            if (done % settings.save_every == 0 or is_time_to_validate) and processes.is_first:
                _save(checkpoint, state, settings, done, history)
            on_step(done, history)
            if history.stopped_early:
                break
    except KeyboardInterrupt:
        if processes.is_first:
            _save(checkpoint, state, settings, done, history)
        raise
    return best, history


def read_history(path: Path) -> History:
    """What a training wrote; raises ``UsageError`` when it cannot be read."""
    try:
        return History(**read_json(path))
    except (UsageError, TypeError) as error:
        raise UsageError(f"{path}: is no history of a training; remove its folder to train again.") from error


def learning_rate_at(step: int, settings: TrainingSettings) -> float:
    """A linear rise, then half a cosine down to the final share."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    low = settings.final_learning_rate_share
    return settings.learning_rate * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def _prefetched(sample: Callable[[int], BatchT], first: int, end: int) -> Iterator[tuple[int, BatchT]]:
    """Batches in order, the next one sampled while the network works on this one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        upcoming = pool.submit(sample, first) if first < end else None
        for step in range(first, end):
            assert upcoming is not None
            batch = upcoming.result()
            upcoming = pool.submit(sample, step + 1) if step + 1 < end else None
            yield step, batch


def _parameter_groups(
    model: nn.Module, weight_decay: float, lr_multipliers: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels, not for biases and norms."""
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {(1.0, True): [], (1.0, False): []}
    for name, parameter in model.named_parameters():
        multiplier = next((value for prefix, value in lr_multipliers.items() if name.startswith(prefix)), 1.0)
        groups.setdefault((multiplier, parameter.ndim > 1), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": weight_decay * is_decayed, "lr_multiplier": multiplier}
        for (multiplier, is_decayed), parameters in groups.items()
    ]


@torch.no_grad()
def ema_update(average: nn.Module, model: nn.Module, decay: float) -> None:
    """One step of the exponential moving average: ``average`` keeps ``decay`` of itself, the rest comes from ``model``.

    Buffers are averaged as parameters are; whole numbers stay.
    """
    targets = [p for p in average.state_dict().values() if p.is_floating_point()]
    sources = [p.detach() for p in model.state_dict().values() if p.is_floating_point()]
    torch._foreach_lerp_(targets, sources, 1.0 - decay)


def _save(path: Path, state: dict[str, Any], settings: TrainingSettings, step: int, history: History) -> None:
    content = {name: part.state_dict() for name, part in state.items()}
    with atomic_write(path) as temporary:
        torch.save({**content, "step": step, "history": asdict(history), "settings": settings.model_dump()}, temporary)


def check_same_settings(before: Mapping[str, Any], now: TrainingSettings, what: str) -> None:
    """Raise ``UsageError`` naming ``what`` was trained, where training cannot go on with the settings of now."""
    changed = [key for key, value in now.model_dump().items() if before.get(key) != value and key not in _MAY_CHANGE]
    if changed:
        raise UsageError(f"{what}: was trained with other settings ({', '.join(changed)}); give another `output`.")


def _load(path: Path, state: dict[str, Any], settings: TrainingSettings, device: torch.device) -> tuple[int, History]:
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        for name, part in state.items():
            part.load_state_dict(content[name])
    except Exception as error:  # a cut-off or foreign file raises many types
        raise UsageError(f"{path}: not a checkpoint of this network; give another `output` or remove it.") from error
    check_same_settings(content["settings"], settings, str(path))
    return int(content["step"]), History(**content["history"])
