"""The average of several weights of one model, parameter by parameter (Wortsman et al. 2022, model soups).

Weights fine-tuned from the same checkpoint lie in one basin of the loss: their average often combines their strengths.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from perception.errors import UsageError
from perception.files import sha256
from perception.weights import WeightsFile, read_weights, save_weights, weights_kind

ORIGIN_KEY = "averaged_from"
"""The metadata that record the share and the start of the sha256 of each file."""

_SUM_TOLERANCE = 1e-6


def average_weights(paths: Sequence[Path], shares: Sequence[float], output: Path) -> None:
    """Write the average of the weights files ``paths`` to ``output``; ``shares`` are positive and sum to 1.

    The files must be of one kind, of one configuration but for dropout, and hold the same tensors. Metadata that all
    share are kept. Raises ``UsageError`` naming what does not fit, ``PerceptionError`` as ``save_weights`` does.
    """
    _check_shares(paths, shares)
    if output.resolve() in {path.resolve() for path in paths}:
        raise UsageError("is one of the files to average; give another name.", field="output", value=output)
    kind = weights_kind(paths[0])
    files = [read_weights(path, kind=kind) for path in paths]
    for path, file in zip(paths[1:], files[1:], strict=True):
        _check_fits(paths[0], files[0], path, file)
    state = {name: _average([file.state[name] for file in files], shares) for name in files[0].state}
    origin = ", ".join(f"{share:g} {sha256(path)[:8]}" for path, share in zip(paths, shares, strict=True))
    extras = {**_shared([file.extras for file in files]), ORIGIN_KEY: origin}
    save_weights(output, state, kind=kind, config=files[0].config, extras=extras)


def _check_shares(paths: Sequence[Path], shares: Sequence[float]) -> None:
    if len(paths) < 2:
        raise UsageError("give at least two weights files to average.")
    if len(shares) != len(paths):
        raise UsageError(f"gives {len(shares)} numbers for {len(paths)} files; give one for each.", field="weights")
    if not all(math.isfinite(share) and share > 0 for share in shares):
        raise UsageError("expected positive numbers.", field="weights", value=_listed(shares))
    if abs(sum(shares) - 1) > _SUM_TOLERANCE:
        raise UsageError(f"sum to {sum(shares):g}; give numbers that sum to 1.", field="weights", value=_listed(shares))


def _listed(shares: Sequence[float]) -> str:
    return ",".join(f"{share:g}" for share in shares)


def _check_fits(first_path: Path, first: WeightsFile, path: Path, file: WeightsFile) -> None:
    # Dropout has no parameters; the stages of a recipe may differ in it.
    ours, theirs = ({key: value for key, value in part.config.items() if key != "dropout"} for part in (first, file))
    for key in sorted(set(ours) | set(theirs)):
        if ours.get(key) != theirs.get(key):
            raise UsageError(
                f"{path}: is another model than {first_path} ({key} {theirs.get(key)} instead of {ours.get(key)}); "
                "average weights of one model."
            )
    for name in sorted(set(first.state) | set(file.state)):
        shapes = [tuple(part.state[name].shape) if name in part.state else None for part in (first, file)]
        if shapes[0] != shapes[1]:
            raise UsageError(
                f"{path}: its tensor {name} has shape {shapes[1]}, that of {first_path} {shapes[0]}; "
                "average weights of one model."
            )


def _average(tensors: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    if not tensors[0].is_floating_point():
        return tensors[0]
    return torch.stack([share * tensor.double() for share, tensor in zip(shares, tensors, strict=True)]).sum(dim=0)


def _shared(extras: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What all files state alike; the average of two feature spaces, for one, is another."""
    return {key: value for key, value in extras[0].items() if all(other.get(key) == value for other in extras)}
