"""RoI features hold all that RoadNet's embedding is computed from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from perception.detection import DetectionSettings, RoadNetDetector, read_roadnet
from perception.detection.roadnet.engines import RoadNetTorchEngine
from perception.detection.roadnet.network import RoadNet
from perception.files import bundled
from perception.sources import open_source
from perception.training.experiments.roi_features import RoiEmbedder, roi_feature_detector
from perception.types import Frame
from perception.weights import bundled_folder

CPU = torch.device("cpu")
SETTINGS = DetectionSettings(confidence=0.3)


@pytest.fixture(scope="module")
def model() -> RoadNet:
    return read_roadnet(bundled_folder() / "roadnet.safetensors")[0]


@pytest.fixture(scope="module")
def frames() -> tuple[Frame, ...]:
    return next(iter(open_source([str(bundled("data/recording"))]))).frames


def test_embeddings_of_roi_features_are_roadnets_own(model, frames):
    plain = RoadNetDetector(RoadNetTorchEngine(model, device=CPU), SETTINGS, name="plain", feature_space="plain")
    roi_features = np.concatenate(
        [found.features for found in roi_feature_detector(model, SETTINGS, device=CPU).detect(frames)]
    )
    features = np.concatenate([found.features for found in plain.detect(frames)])
    assert len(roi_features) == len(features) > 10
    with torch.inference_mode():
        embedded = RoiEmbedder(model)(torch.from_numpy(roi_features)).numpy()
    agreement = (embedded * features).sum(axis=1)
    assert (agreement > 0.999).mean() > 0.8  # objects at the border may differ a bit
    assert agreement.min() > 0.8


def test_no_roi_feature_is_no_feature_and_the_loss_reaches_every_layer(model):
    embedder = RoiEmbedder(model)
    size = model.config.channels * embedder.side_cells**2
    roi_features = 10 * torch.randn(40, 4, size + 4, generator=torch.Generator().manual_seed(0))
    roi_features[..., size:] = torch.eye(4)
    roi_features[1, 2] = 0
    embedded = embedder(roi_features)
    assert embedded.shape == (40, 4, model.config.embedding_size)
    assert (embedded[1, 2] == 0).all() and (embedded[0].norm(dim=1) - 1).abs().max() < 1e-4
    embedded[..., 0].sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in embedder.parameters())
