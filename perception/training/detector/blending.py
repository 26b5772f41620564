"""Weights between those of a training and those where it started (Wortsman et al. 2022, robust fine-tuning).

A network that learnt from few pictures forgets some of what it knew of others; halfway back it often has both.
"""

from __future__ import annotations

from pathlib import Path

import torch

from perception.detection.roadnet.nanodet_weights import load_nanodet, read_nanodet
from perception.detection.roadnet.network import RoadNet
from perception.detection.roadnet.weights import read_roadnet
from perception.errors import UsageError
from perception.weights import WEIGHTS_SUFFIX, weights_kind

_EMBEDDING = "embedding"


@torch.no_grad()
def blend(model: RoadNet, path: Path, share: float) -> None:
    """Make each weight of ``model`` ``share`` (0..1) of that in ``path`` and the rest its own.

    ``path``: weights of a RoadNet, or NanoDet-Plus's for COCO. The embedding stays: that of another training
    has other axes. Raises ``UsageError`` where the weights do not fit.
    """
    other = read_roadnet(path)[0] if _is_roadnet(path) else _nanodet(model, path)
    ours, theirs = model.state_dict(), other.state_dict()
    if {name: value.shape for name, value in ours.items()} != {name: value.shape for name, value in theirs.items()}:
        raise UsageError(f"{path}: is of another size than what was trained; give weights that fit.")
    for name, value in ours.items():
        if value.is_floating_point() and _EMBEDDING not in name:
            value.lerp_(theirs[name].to(value), share)


def _is_roadnet(path: Path) -> bool:
    try:
        return path.suffix == WEIGHTS_SUFFIX and weights_kind(path) == "detector"
    except UsageError:  # tensors of others; whoever reads them reports what is wrong
        return False


def _nanodet(model: RoadNet, path: Path) -> RoadNet:
    other = RoadNet(model.config)
    try:
        load_nanodet(other, read_nanodet(path))
    except ValueError as error:
        raise UsageError(f"{path}: does not fit what was trained ({error}).") from error
    return other
