"""RoadNet: a convolutional network that finds road users and describes each by an embedding.

    image (B, 3, H, W) -> MobileNetV2 -> maps of strides 8, 16, 32, and a coarser one of 64 -> feature pyramid
        -> at each grid point of each map: class scores, distances to a box (left, top, right, bottom), an embedding

Anchor-free heads after FCOS (Tian et al. 2019) and YOLOX (Ge et al. 2021); MobileNetV2 (Sandler et al. 2018);
feature pyramid (Lin et al. 2017). Each map has a head of its own, but the coarsest, on which few objects are found,
shares its neighbour's (RetinaNet shares one among all). The embedding of an object is read at its grid point, so a
feature costs no second pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import mobilenet_v2

from perception.taxonomy import CLASSES

STRIDES = (8, 16, 32, 64)
SIDE_MULTIPLE_PX = 32
"""Height and width of the input are multiples of it; the coarsest map rounds up."""

BACKBONE_ENDS = (7, 14, 18)  # slices of MobileNetV2's features that end at strides 8, 16 and 32
LARGEST_LOG_LTRB = 5.0
"""A box reaches at most e to this power strides from its grid point."""


@dataclass(frozen=True)
class RoadNetConfig:
    """What a weights file must state so that the network can be built again."""

    channels: int = 96
    tower_depth: int = 2
    embedding_size: int = 64
    dropout: float = 0.0
    classes: tuple[str, ...] = CLASSES
    width: float = 1.0
    """Of the backbone: MobileNetV2's multiplier of its channels."""


SIZES = {
    "nano": RoadNetConfig(width=0.5, channels=48),
    "small": RoadNetConfig(),
    "base": RoadNetConfig(channels=160, tower_depth=3),
}
"""The ladder, and the operations of each: 0.3, 1 and 1.7 times those of the bundled ``small``."""


class RoadNetOutput(NamedTuple):
    """Raw outputs at A grid points of all levels, coarse levels last.

    ``class_logits`` (B, A, C); ``boxes_xyxy`` (B, A, 4) in pixels of the input; ``embeddings`` (B, A, F) of length 1;
    ``points_xy`` (A, 2) and ``strides`` (A,) of the grid points in pixels. ``ltrb_logits`` (B, A, 4, D) weigh the
    distances of the sides, 0 to D - 1 strides, where the network predicts distributions.
    """

    class_logits: Tensor
    boxes_xyxy: Tensor
    embeddings: Tensor
    points_xy: Tensor
    strides: Tensor
    ltrb_logits: Tensor | None = None


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Replace each convolution and the batch norm behind it, in place, by one convolution that does the same."""
    previous_name, previous = None, None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and isinstance(previous, nn.Conv2d):
            fused = fuse_conv_bn_eval(previous.eval(), child.eval())
            assert fused.bias is not None
            fused.bias.requires_grad_(fused.weight.requires_grad)  # PyTorch forgets it where there was no bias
            setattr(module, str(previous_name), fused)
            setattr(module, name, nn.Identity())
        else:
            fold_batch_norms(child)
        previous_name, previous = name, child
    return module


class SeparableBlock(nn.Sequential):
    """Depthwise 3x3 and pointwise 1x1 convolution with batch norm and ReLU; keeps (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )


class FeaturePyramid(nn.Module):
    """Maps of the backbone to as many of equal depth, each with what the coarser ones saw added, and one coarser still.

    An object that fills the picture is one object in the coarsest map, where finer ones see its parts. Nothing comes
    down from there, as in RetinaNet (Lin et al. 2017).
    """

    def __init__(self, backbone_channels: Sequence[int], channels: int) -> None:
        super().__init__()
        deepest = backbone_channels[-1]
        self.lateral = nn.ModuleList(nn.Conv2d(size, channels, 1) for size in backbone_channels)
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in backbone_channels)
        self.coarsest = nn.Sequential(
            nn.Conv2d(deepest, deepest, 3, stride=2, padding=1, groups=deepest), nn.Conv2d(deepest, channels, 1)
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Finest map first; one more comes back than was given."""
        levels = [self.coarsest(maps[-1])]
        above: Tensor | None = None
        for lateral, smooth, features in zip(
            reversed(self.lateral), reversed(self.smooth), reversed(maps), strict=True
        ):
            level = lateral(features)
            if above is not None:
                level = level + nn.functional.interpolate(above, scale_factor=2.0, mode="nearest")
            levels.insert(0, smooth(level))
            above = level
        return levels


class LevelHead(nn.Module):
    """The decoupled head of one pyramid level: a tower for class and embedding, and one for the box.

    ``ltrb`` gives the logarithms of the distances to the box's left, top, right and bottom, in strides. Weights of
    version 0.1, which named both towers and ``ltrb`` otherwise, load as well.
    """

    _NAMES_OF_V01: ClassVar[dict[str, str]] = {"what": "cls_tower", "where": "reg_tower", "sides": "ltrb"}

    def __init__(self, config: RoadNetConfig) -> None:
        super().__init__()
        channels = config.channels
        self.cls_tower = nn.Sequential(*(SeparableBlock(channels) for _ in range(config.tower_depth)))
        self.reg_tower = nn.Sequential(*(SeparableBlock(channels) for _ in range(config.tower_depth)))
        self.dropout = nn.Dropout2d(config.dropout)
        self.classes = nn.Conv2d(channels, len(config.classes), 1)
        self.embedding = nn.Conv2d(channels, config.embedding_size, 1)
        self.ltrb = nn.Conv2d(channels, 4, 1)
        # At the start one grid point in a hundred holds an object (Lin et al. 2017, focal loss).
        nn.init.constant_(self.classes.bias, -math.log(99.0))  # type: ignore[arg-type]
        nn.init.normal_(self.classes.weight, std=0.01)
        nn.init.normal_(self.ltrb.weight, std=0.01)
        nn.init.constant_(self.ltrb.bias, 0.7)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, h, w) to class logits, log distances in strides, embeddings, each (B, channels, h, w)."""
        cls = self.dropout(self.cls_tower(features))
        reg = self.reg_tower(features)
        return self.classes(cls), self.ltrb(reg), self.embedding(cls)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name in [name for name in state_dict if name.startswith(prefix)]:
            first, _, rest = name.removeprefix(prefix).partition(".")
            if first in self._NAMES_OF_V01:
                state_dict[f"{prefix}{self._NAMES_OF_V01[first]}.{rest}"] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *args)  # type: ignore[no-untyped-call]

    def embedding_layers(self) -> nn.Sequential:
        """From the map to the embedding."""
        return nn.Sequential(self.cls_tower, self.embedding)


class RoadNet(nn.Module):
    """See the module's docstring. Input: float (B, 3, H, W), RGB scaled to -1..1, H and W multiples of 32."""

    def __init__(self, config: RoadNetConfig | None = None) -> None:
        super().__init__()
        self.config = config or RoadNetConfig()
        # Batch norm is folded from the start: with batches of a few images its statistics would only disturb
        # the ImageNet weights, and a biased convolution is faster.
        features = mobilenet_v2(weights=None, width_mult=self.config.width).features[: BACKBONE_ENDS[-1]]
        ends = [features[end - 1].out_channels for end in BACKBONE_ENDS]
        self.backbone = fold_batch_norms(features)
        self.pyramid = FeaturePyramid(ends, self.config.channels)
        self.heads = nn.ModuleList(LevelHead(self.config) for _ in ends)

    def load_backbone(self, state: dict[str, Tensor]) -> None:
        """Start from the weights of ``torchvision.models.mobilenet_v2`` of the same width, batch norms folded."""
        reference = mobilenet_v2(weights=None, width_mult=self.config.width)
        floats = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
        missing, unexpected = reference.load_state_dict(floats, strict=False)
        if unexpected or any(not name.startswith("classifier") for name in missing):
            raise ValueError(f"not the weights of a MobileNetV2: {[*missing, *unexpected][:3]}")
        folded = fold_batch_norms(reference.eval().features[: BACKBONE_ENDS[-1]])
        self.backbone.load_state_dict(folded.state_dict())
        self.backbone.train()

    @property
    def level_heads(self) -> list[LevelHead]:
        """The head of each level, that of the coarsest once more."""
        return [*self.heads, self.heads[-1]]  # type: ignore[list-item]

    def forward(self, images: Tensor) -> RoadNetOutput:
        levels: list[Tensor] = []
        features, start = images, 0
        for end in BACKBONE_ENDS:
            features = self.backbone[start:end](features)  # type: ignore[index]
            levels.append(features)
            start = end
        outputs = []
        for head, features in zip(self.level_heads, self.pyramid(levels), strict=True):
            class_map, ltrb_map, embedding_map = head(features)
            ltrb = as_rows(ltrb_map).float().clamp(max=LARGEST_LOG_LTRB).exp()
            outputs.append(LevelOutput(class_map, embedding_map, ltrb))
        return dense_output(outputs, offset=0.5)


class LevelOutput(NamedTuple):
    """Of one level: class logits (B, C, h, w), embeddings (B, F, h, w), distances (B, h * w, 4) in strides and, where
    these are distributions, their logits (B, h * w, 4, D)."""

    class_map: Tensor
    embedding_map: Tensor
    ltrb: Tensor
    ltrb_logits: Tensor | None = None


def dense_output(levels: Sequence[LevelOutput], *, offset: float) -> RoadNetOutput:
    """The outputs of all levels, strides as in ``STRIDES``, one behind the other; ``offset`` as in ``grid_points``."""
    boxes, points, strides = [], [], []
    for stride, level in zip(STRIDES, levels, strict=True):
        height, width = level.class_map.shape[-2:]
        device = level.class_map.device
        xy = grid_points(height, width, stride, device=device, offset=offset)
        distances = level.ltrb * stride
        boxes.append(torch.cat([xy - distances[..., :2], xy + distances[..., 2:]], dim=-1))
        points.append(xy)
        strides.append(torch.full((height * width,), float(stride), device=device))
    embeddings = torch.cat([as_rows(level.embedding_map) for level in levels], 1)
    ltrb_logits = [level.ltrb_logits for level in levels if level.ltrb_logits is not None]
    return RoadNetOutput(
        class_logits=torch.cat([as_rows(level.class_map) for level in levels], 1).float(),
        boxes_xyxy=torch.cat(boxes, 1),
        embeddings=nn.functional.normalize(embeddings.float(), dim=-1),
        points_xy=torch.cat(points),
        strides=torch.cat(strides),
        ltrb_logits=torch.cat(ltrb_logits, 1) if ltrb_logits else None,
    )


def as_rows(level_map: Tensor) -> Tensor:
    """(B, C, h, w) to (B, h * w, C), row by row."""
    return level_map.flatten(2).transpose(1, 2)


def grid_points(height: int, width: int, stride: int, *, device: torch.device, offset: float = 0.5) -> Tensor:
    """(height * width, 2): x, y of the grid points of one level, in pixels, row by row.

    ``offset`` 0.5 is the centre of each cell, 0 its left upper corner.
    """
    ys = (torch.arange(height, device=device) + offset) * stride
    xs = (torch.arange(width, device=device) + offset) * stride
    grid_y, grid_x = torch.meshgrid(ys, xs, indexing="ij")
    return torch.stack([grid_x, grid_y], dim=-1).reshape(-1, 2)


def to_input(images: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) RGB to the network's input, float (B, 3, H, W) in -1..1, channels last in memory."""
    return images.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
