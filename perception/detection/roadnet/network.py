"""RoadNet: a convolutional network that finds road users and describes each by an embedding.

    image (B, 3, H, W) -> ShuffleNetV2 -> maps of strides 8, 16, 32 -> Ghost path aggregation, and a map of stride 64
        -> at each grid point: class scores, a distribution of the distance to each side of a box, an embedding

The structure is that of NanoDet-Plus (RangiLyu 2021): ShuffleNetV2 (Ma et al. 2018), path aggregation (Liu et al. 2018)
of ghost bottlenecks (Han et al. 2020), boxes as distributions of distances (Li et al. 2020, generalised focal loss).
Its weights for COCO fit tensor by tensor (``nanodet_weights``); batch norms are folded in them, so that there are none
here. The embedding is ours. That of an object is read at its grid point, so a feature costs no second pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from perception.taxonomy import CLASSES

STRIDES = (8, 16, 32, 64)
SIDE_MULTIPLE_PX = 32
"""Height and width of the input are multiples of it; the coarsest map rounds up."""

DISTANCES = 8
"""A side lies 0 to 7 strides from its grid point: the distribution has a weight for each whole number of strides."""

_MEAN_RGB = (123.675, 116.28, 103.53)
_SLOPE = 0.1


@dataclass(frozen=True)
class RoadNetConfig:
    """What a weights file must state so that the network can be built again."""

    stem_channels: int = 24
    stage_channels: tuple[int, int, int] = (176, 352, 704)
    """Of the maps with strides 8, 16 and 32."""

    stage_depths: tuple[int, int, int] = (4, 8, 4)
    channels: int = 128
    """Of the neck and the heads."""

    head_depth: int = 2
    embedding_size: int = 64
    dropout: float = 0.0
    classes: tuple[str, ...] = CLASSES
    stands_for: tuple[str | None, ...] = CLASSES
    """For each class the road user among ``CLASSES`` that it is reported as; None for what is not reported."""

    def to_plain(self) -> dict[str, Any]:
        """For a file; ``stands_for`` is left out where the classes are ``CLASSES`` themselves."""
        plain = asdict(self)
        return plain if self.classes != CLASSES else {key: plain[key] for key in plain if key != "stands_for"}


SIZES = {
    "nano": RoadNetConfig(stage_channels=(116, 232, 464), channels=96),
    "small": RoadNetConfig(),
    "base": RoadNetConfig(stage_channels=(244, 488, 976), channels=160, head_depth=3),
}
"""The ladder; ``nano`` is NanoDet-Plus-m, ``small`` NanoDet-Plus-m-1.5x."""


class RoadNetOutput(NamedTuple):
    """Raw outputs at A grid points of all levels, coarse levels last.

    ``class_logits`` (B, A, C); ``boxes_xyxy`` (B, A, 4) in pixels of the input; ``embeddings`` (B, A, F) of length 1;
    ``points_xy`` (A, 2) and ``strides`` (A,) of the grid points in pixels; ``ltrb_logits`` (B, A, 4, D) weigh the
    distances of the sides, 0 to D - 1 strides.
    """

    class_logits: Tensor
    boxes_xyxy: Tensor
    embeddings: Tensor
    points_xy: Tensor
    strides: Tensor
    ltrb_logits: Tensor


class Conv(nn.Sequential):
    """(B, inputs, H, W) to (B, outputs, H / stride, W / stride): a convolution, and a leaky ReLU where ``active``."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1, active: bool = True
    ) -> None:
        convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups)
        super().__init__(convolution, *([nn.LeakyReLU(_SLOPE, inplace=True)] if active else []))


def depthwise(channels: int, kernel: int, *, stride: int = 1, active: bool = False) -> Conv:
    """One filter for each channel."""
    return Conv(channels, channels, kernel, stride=stride, groups=channels, active=active)


def separable(channels: int, *, stride: int = 1) -> nn.Sequential:
    """Depthwise 5x5 and pointwise 1x1, each with its leaky ReLU."""
    return nn.Sequential(depthwise(channels, 5, stride=stride, active=True), Conv(channels, channels))


def shuffled(first: Tensor, second: Tensor) -> Tensor:
    """Two maps (B, C, H, W) as one (B, 2C, H, W) whose channels come from them in turn."""
    return torch.stack([first, second], dim=2).flatten(1, 2)


class ShuffleUnit(nn.Module):
    """(B, C, H, W) to the same: half of the channels pass, the other half is changed, then both are shuffled."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.changed = nn.Sequential(Conv(half, half), depthwise(half, 3), Conv(half, half))

    def forward(self, features: Tensor) -> Tensor:
        kept, other = features.chunk(2, dim=1)
        return shuffled(kept, self.changed(other))


class ShuffleDown(nn.Module):
    """(B, inputs, H, W) to (B, outputs, H / 2, W / 2): two branches that halve the size, shuffled."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.short = nn.Sequential(depthwise(inputs, 3, stride=2), Conv(inputs, half))
        self.long = nn.Sequential(Conv(inputs, half), depthwise(half, 3, stride=2), Conv(half, half))

    def forward(self, features: Tensor) -> Tensor:
        return shuffled(self.short(features), self.long(features))


class Ghost(nn.Module):
    """(B, inputs, H, W) to (B, outputs, H, W): half of the channels by a 1x1 convolution, half from these by 3x3
    filters."""

    def __init__(self, inputs: int, outputs: int, *, active: bool) -> None:
        super().__init__()
        self.primary = Conv(inputs, outputs // 2, active=active)
        self.cheap = depthwise(outputs // 2, 3, active=active)

    def forward(self, features: Tensor) -> Tensor:
        primary = self.primary(features)
        return torch.cat([primary, self.cheap(primary)], dim=1)


class GhostBottleneck(nn.Module):
    """(B, 2C, H, W), two maps one behind the other, to (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ghosts = nn.Sequential(Ghost(2 * channels, channels, active=True), Ghost(channels, channels, active=False))
        self.shortcut = nn.Sequential(depthwise(2 * channels, 5), Conv(2 * channels, channels, active=False))

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = self.ghosts(features) + self.shortcut(features)
        return changed


class PathAggregation(nn.Module):
    """Maps of strides 8, 16, 32 to as many of equal depth, each merged with coarser and finer ones, and one of 64."""

    def __init__(self, map_channels: tuple[int, int, int], channels: int) -> None:
        super().__init__()
        steps = len(map_channels) - 1
        self.reduce = nn.ModuleList(Conv(size, channels) for size in map_channels)
        self.top_down = nn.ModuleList(GhostBottleneck(channels) for _ in range(steps))
        self.down = nn.ModuleList(separable(channels, stride=2) for _ in range(steps))
        self.bottom_up = nn.ModuleList(GhostBottleneck(channels) for _ in range(steps))
        self.coarsest_before = separable(channels, stride=2)
        self.coarsest_after = separable(channels, stride=2)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Finest map first; returns one more than it takes."""
        reduced = [layer(features) for layer, features in zip(self.reduce, maps, strict=True)]
        top_down = [reduced[-1]]  # from coarse to fine
        for merge, finer in zip(self.top_down, reversed(reduced[:-1]), strict=True):
            doubled = nn.functional.interpolate(top_down[0], scale_factor=2.0, mode="bilinear", align_corners=False)
            top_down.insert(0, merge(torch.cat([doubled, finer], dim=1)))
        levels = [top_down[0]]
        for down, merge, coarser in zip(self.down, self.bottom_up, top_down[1:], strict=True):
            levels.append(merge(torch.cat([down(levels[-1]), coarser], dim=1)))
        levels.append(self.coarsest_before(reduced[-1]) + self.coarsest_after(levels[-1]))
        return levels


class RoadNetHead(nn.Module):
    """What one level predicts at each grid point: classes, distances, embedding."""

    def __init__(self, config: RoadNetConfig) -> None:
        super().__init__()
        self.tower = nn.Sequential(*(separable(config.channels) for _ in range(config.head_depth)))
        self.dropout = nn.Dropout2d(config.dropout)
        self.classes = nn.Conv2d(config.channels, len(config.classes), 1)
        self.ltrb = nn.Conv2d(config.channels, 4 * DISTANCES, 1)
        self.embedding = nn.Conv2d(config.channels, config.embedding_size, 1)
        # At the start one grid point in a hundred holds an object (Lin et al. 2017, focal loss).
        nn.init.constant_(self.classes.bias, -math.log(99.0))  # type: ignore[arg-type]
        nn.init.normal_(self.classes.weight, std=0.01)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, h, w) to class logits, logits of distances, embeddings, each (B, channels, h, w)."""
        features = self.dropout(self.tower(features))
        return self.classes(features), self.ltrb(features), self.embedding(features)


class RoadNet(nn.Module):
    """See the module's docstring. Input: float (B, 3, H, W), RGB scaled to -1..1, H and W multiples of 32."""

    mean: Tensor
    heads: Sequence[RoadNetHead]

    def __init__(self, config: RoadNetConfig | None = None) -> None:
        super().__init__()
        self.config = config or RoadNetConfig()
        before = self.config.stem_channels
        self.stem = nn.Sequential(Conv(3, before, 3, stride=2), nn.MaxPool2d(3, stride=2, padding=1))
        stages = []
        for outputs, depth in zip(self.config.stage_channels, self.config.stage_depths, strict=True):
            units = (ShuffleUnit(outputs) for _ in range(depth - 1))
            stages.append(nn.Sequential(ShuffleDown(before, outputs), *units))
            before = outputs
        self.stages = nn.ModuleList(stages)
        self.neck = PathAggregation(self.config.stage_channels, self.config.channels)
        self.heads = nn.ModuleList(RoadNetHead(self.config) for _ in STRIDES)  # type: ignore[assignment]
        mean = torch.tensor(_MEAN_RGB) / 127.5 - 1
        self.register_buffer("mean", mean[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> RoadNetOutput:
        features = self.stem(images - self.mean)  # (B, stem_channels, H / 4, W / 4)
        maps = []
        for stage in self.stages:
            features = stage(features)
            maps.append(features)  # strides 8, 16, 32
        levels = self.neck(maps)  # strides 8, 16, 32, 64, each (B, channels, h, w)

        outputs = [head(level) for head, level in zip(self.heads, levels, strict=True)]
        class_logits, ltrb_logits, embeddings = (
            torch.cat([as_rows(level_map) for level_map in level_maps], dim=1).float()  # (B, A, size)
            for level_maps in zip(*outputs, strict=True)
        )
        ltrb_logits = ltrb_logits.reshape(*ltrb_logits.shape[:2], 4, DISTANCES)
        points_xy, strides = _all_grid_points(levels)
        ltrb = ltrb_logits.softmax(dim=-1) @ torch.arange(DISTANCES, dtype=torch.float32, device=images.device)
        ltrb = ltrb * strides[:, None]
        return RoadNetOutput(
            class_logits=class_logits,
            boxes_xyxy=torch.cat([points_xy - ltrb[..., :2], points_xy + ltrb[..., 2:]], dim=-1),
            embeddings=nn.functional.normalize(embeddings, dim=-1),
            points_xy=points_xy,
            strides=strides,
            ltrb_logits=ltrb_logits,
        )


def as_rows(level_map: Tensor) -> Tensor:
    """(B, C, h, w) to (B, h * w, C), row by row."""
    return level_map.flatten(2).transpose(1, 2)


def grid_points(height: int, width: int, stride: int, *, device: torch.device) -> Tensor:
    """(height * width, 2): x, y of the grid points of one level in pixels, row by row: the left upper corners of its
    cells, from which NanoDet measures."""
    ys, xs = (torch.arange(count, device=device) * float(stride) for count in (height, width))
    grid_y, grid_x = torch.meshgrid(ys, xs, indexing="ij")
    return torch.stack([grid_x, grid_y], dim=-1).reshape(-1, 2)


def _all_grid_points(levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Grid points (A, 2) of all levels (B, C, h, w), and their strides (A,)."""
    points = []
    for level, stride in zip(levels, STRIDES, strict=True):
        height, width = level.shape[-2:]
        points.append(grid_points(height, width, stride, device=level.device))
    strides = [torch.full_like(xy[:, 0], stride) for xy, stride in zip(points, STRIDES, strict=True)]
    return torch.cat(points), torch.cat(strides)


def road_user_scores(scores: Tensor, stands_for: Sequence[str | None]) -> Tensor:
    """(..., K) of classes that stand for road users to (..., C) over ``CLASSES``: of each the highest, or 0."""
    if tuple(stands_for) == CLASSES:
        return scores
    together = scores.new_zeros((*scores.shape[:-1], len(CLASSES)))
    for label, name in enumerate(CLASSES):
        columns = [column for column, ours in enumerate(stands_for) if ours == name]
        if columns:
            together[..., label] = scores[..., columns].amax(dim=-1)
    return together


def to_input(images: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) RGB to the network's input, float (B, 3, H, W) in -1..1, channels last in memory."""
    return images.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
