"""A RoadNet of another size that is initialised from one: its strongest channels, or all that fits.

Channels are chosen by the size of the weights that make them (Li et al. 2017, pruning filters for efficient networks).
The answers change at first; training from there takes a fraction of the steps from a random start.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torchvision.models.mobilenetv2 import InvertedResidual

from perception.detection.roadnet.network import BACKBONE_ENDS, LevelHead, RoadNet, RoadNetConfig, fold_batch_norms


def resized(source: RoadNet, config: RoadNetConfig) -> RoadNet:
    """A network of ``config`` that starts from ``source``, which stays as it is.

    Where it is narrower it takes the strongest channels; else the tensors that have the same shape.
    """
    source = fold_batch_norms(copy.deepcopy(source).cpu().eval())  # type: ignore[assignment]
    target: RoadNet = fold_batch_norms(RoadNet(config).eval())  # type: ignore[assignment]
    ours, theirs = config, source.config
    if ours.width <= theirs.width and ours.channels <= theirs.channels and ours.tower_depth <= theirs.tower_depth:
        with torch.no_grad():
            _slim(source, target)
    else:
        fitting = target.state_dict()
        known = source.state_dict()
        fitting |= {name: known[name] for name, value in fitting.items() if _has_shape(known.get(name), value.shape)}
        target.load_state_dict(fitting)
    return target.train()  # type: ignore[no-any-return]


def _has_shape(tensor: Tensor | None, shape: torch.Size) -> bool:
    return tensor is not None and tensor.shape == shape


def _slim(source: RoadNet, target: RoadNet) -> None:
    seen = torch.arange(3)
    ends = []
    pairs = zip(source.backbone.children(), target.backbone.children(), strict=True)
    for index, (old, new) in enumerate(pairs, start=1):
        if isinstance(old, InvertedResidual) and isinstance(new, InvertedResidual):
            seen = _slim_chain(old.conv, new.conv, seen, last=seen if old.use_res_connect else None)
        else:
            seen = _slim_chain(old, new, seen)
        if index in BACKBONE_ENDS:
            ends.append(seen)
    # All levels keep the same channels: they are added to one another, and the two coarsest share a head.
    channels = target.config.channels
    laterals, smooths = ([*layers] for layers in (source.pyramid.lateral, source.pyramid.smooth))
    kept, smooth_kept = (_strongest(_strength(*layers), channels) for layers in (laterals, smooths))
    for level, end in enumerate(ends):
        _copy(source.pyramid.lateral[level], target.pyramid.lateral[level], end, kept)
        _copy(source.pyramid.smooth[level], target.pyramid.smooth[level], kept, smooth_kept)
    _slim_chain(source.pyramid.coarsest, target.pyramid.coarsest, ends[-1], last=smooth_kept)
    for old_head, new_head in zip(source.heads, target.heads, strict=True):
        assert isinstance(old_head, LevelHead) and isinstance(new_head, LevelHead)
        depth = len(new_head.cls_tower)
        what = _slim_chain(old_head.cls_tower[:depth], new_head.cls_tower, smooth_kept)
        where = _slim_chain(old_head.reg_tower[:depth], new_head.reg_tower, smooth_kept)
        for name, inputs in (("classes", what), ("embedding", what), ("ltrb", where)):
            old, new = getattr(old_head, name), getattr(new_head, name)
            _copy(old, new, inputs, torch.arange(new.out_channels))


def _slim_chain(old: nn.Module, new: nn.Module, inputs: Tensor, *, last: Tensor | None = None) -> Tensor:
    """Convolutions one behind the other; returns which channels of the old ones come out. ``last`` fixes them."""
    pairs = [
        (a, b)
        for a, b in zip(old.modules(), new.modules(), strict=True)
        if isinstance(a, nn.Conv2d) and isinstance(b, nn.Conv2d)
    ]
    for index, (a, b) in enumerate(pairs):
        if a.groups > 1:
            outputs = inputs
        elif last is not None and index == len(pairs) - 1:
            outputs = last
        else:
            follower = pairs[index + 1][0] if index + 1 < len(pairs) and pairs[index + 1][0].groups > 1 else None
            strength = _strength(a) if follower is None else _strength(a) * _strength(follower)
            outputs = _strongest(strength, b.out_channels)
        _copy(a, b, inputs, outputs)
        inputs = outputs
    return inputs


def _strength(*layers: nn.Module) -> Tensor:
    """(outputs,): how large the weights are that make each output, over all of these layers."""
    weights = [layer.weight.detach().flatten(1).norm(dim=1) for layer in layers if isinstance(layer, nn.Conv2d)]
    return torch.stack(weights).sum(dim=0)


def _strongest(strength: Tensor, count: int) -> Tensor:
    return strength.topk(count).indices.sort().values


def _copy(old: nn.Module, new: nn.Module, inputs: Tensor, outputs: Tensor) -> None:
    assert isinstance(old, nn.Conv2d) and isinstance(new, nn.Conv2d)
    weight = old.weight[outputs]
    new.weight.copy_(weight if old.groups > 1 else weight[:, inputs])
    if old.bias is not None and new.bias is not None:
        new.bias.copy_(old.bias[outputs])
