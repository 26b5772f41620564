"""Region-of-interest features: RoadNet's map around each object, kept with its track.

RoadNet's embedding is computed from the neck's map by a few small convolutions, which reach a few cells from the
object's place. Those cells are its RoI features. With them in place of embeddings in the tracks, these convolutions can
learn together with the recurrent network, and no picture has to be seen twice.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from perception.detection import DetectionSettings, RoadNetDetector
from perception.detection.roadnet.engines import DenseOutputs, Pixels
from perception.detection.roadnet.network import RoadNet, RoadNetHead, to_input


def roi_feature_detector(model: RoadNet, settings: DetectionSettings, *, device: torch.device) -> RoadNetDetector:
    """Finds what ``model`` finds; the features are RoI features, see ``RoiEmbedder``."""
    return RoadNetDetector(
        _RoiFeatureEngine(model, settings.confidence, device), settings, name="roadnet-roi", feature_space="roi"
    )


class RoiEmbedder(nn.Module):
    """RoI features to embeddings, at first as ``model`` itself would: the layers of its heads that embed, as a copy.

    RoI features (F,) hold the map's channels in a square of cells around the object's position, as far as those
    layers see, and which head reads them. At the picture's border, where RoadNet's convolutions see zeros, the
    embedding differs.
    """

    def __init__(self, model: RoadNet) -> None:
        super().__init__()
        self.channels, self.side_cells = model.config.channels, _side_cells(model)
        self.towers = nn.ModuleList(_without_padding(head) for head in copy.deepcopy(model).eval().heads)

    def forward(self, roi_features: Tensor) -> Tensor:
        """(..., F) to (..., E) of length 1; zeros, which mean that there are none, stay zeros."""
        rows = roi_features.flatten(0, -2)
        cells, is_read_by = rows[:, : -len(self.towers)], rows[:, -len(self.towers) :]
        squares = cells.reshape(-1, self.channels, self.side_cells, self.side_cells)
        embedded = roi_features.new_zeros(len(rows), self.towers[0][-1].out_channels)  # type: ignore[index]
        for tower, rows_here in zip(self.towers, is_read_by.T > 0.5, strict=True):
            if rows_here.any():
                embedded[rows_here] = nn.functional.normalize(tower(squares[rows_here])[:, :, 0, 0].float(), dim=1)
        return embedded.reshape(*roi_features.shape[:-1], embedded.shape[1])


class _RoiFeatureEngine:
    """RoadNet with RoI features in place of the embeddings, zeros where no class reaches ``confidence``."""

    def __init__(self, model: RoadNet, confidence: float, device: torch.device) -> None:
        self.device = device
        self.title = f"PyTorch on {device}, with RoI features"
        self.embedding_size = model.config.channels * _side_cells(model) ** 2 + len(model.heads)
        self._confidence = confidence
        self._model = copy.deepcopy(model).eval().to(device)
        self._maps: list[Tensor] = []
        self._model.neck.register_forward_hook(lambda module, maps, levels: self._maps.extend(levels))

    @torch.inference_mode()
    def __call__(self, images: Pixels) -> DenseOutputs:
        self._maps.clear()
        output = self._model(to_input(torch.as_tensor(images, device=self.device)))
        scores = output.class_logits.sigmoid()
        roi_features = torch.zeros(*scores.shape[:2], self.embedding_size, device=self.device)
        matters = scores.amax(dim=2) >= self._confidence
        start, heads = 0, len(self._model.heads)
        for level, cells in enumerate(self._maps):
            width, count = cells.shape[-1], cells.shape[-1] * cells.shape[-2]
            pictures, points = torch.nonzero(matters[:, start : start + count], as_tuple=True)
            rows_here = roi_features[pictures, start + points]
            rows_here[:, :-heads] = self._squares(cells, pictures, points // width, points % width)
            rows_here[:, level - heads] = 1
            roi_features[pictures, start + points] = rows_here
            start += count
        return DenseOutputs(scores, output.boxes_xyxy, roi_features)

    def _squares(self, cells: Tensor, pictures: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """(n, C * side * side) around the grid points of a level (B, C, h, w)."""
        side = _side_cells(self._model)
        around = nn.functional.pad(cells, [side // 2] * 4)
        reach = torch.arange(side, device=self.device)
        ys, xs = rows[:, None, None] + reach[:, None], columns[:, None, None] + reach
        return around.permute(0, 2, 3, 1)[pictures[:, None, None], ys, xs].permute(0, 3, 1, 2).flatten(1)


def _side_cells(model: RoadNet) -> int:
    """How far the layers see that embed."""
    layers = _embedding_layers(model.heads[0])
    return 1 + sum(layer.kernel_size[0] - 1 for layer in layers.modules() if isinstance(layer, nn.Conv2d))


def _embedding_layers(head: RoadNetHead) -> nn.Sequential:
    """From the map to the embedding."""
    return nn.Sequential(head.tower, head.embedding)


def _without_padding(head: RoadNetHead) -> nn.Sequential:
    """The layers from the map to the embedding, which take a square of cells to its middle one."""
    layers = _embedding_layers(head)
    for module in layers.modules():
        if isinstance(module, nn.Conv2d):
            module.padding = (0, 0)
    return layers
