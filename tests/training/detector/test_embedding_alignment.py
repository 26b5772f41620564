"""A detector that learns on keeps the features by which forecasters know its objects."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.detection_cases import CPU, TINY, lively_roadnet, random_frame

from perception.detection.roadnet.network import RoadNet
from perception.taxonomy import CLASSES
from perception.training.detector.dataset import LabelledImage
from perception.training.detector.embedding_alignment import align_embeddings


@pytest.fixture
def before() -> RoadNet:
    return lively_roadnet()


@pytest.fixture(scope="module")
def images() -> list[LabelledImage]:
    """Pictures in which the network sees objects of every size; what is in them, nobody needs to say."""
    nothing = np.zeros(0, np.int64)
    pictures = [random_frame(width=640, height=480, seed=seed).image for seed in range(20)]
    return [
        LabelledImage("i", picture, np.zeros((0, 4), np.float32), nothing, nothing, np.ones(len(CLASSES), bool))
        for picture in pictures
    ]


def test_turned_features_are_turned_back_and_nothing_else_changes(before, images):
    torch.manual_seed(0)
    after = copy.deepcopy(before)
    turn, _ = torch.linalg.qr(torch.randn(8, 8))
    with torch.no_grad():
        for head in after.heads:
            head.embedding.weight.copy_(torch.einsum("fg,gchw->fchw", turn, head.embedding.weight))
            head.embedding.bias.copy_(turn @ head.embedding.bias)
    turned = copy.deepcopy(after)
    kept = align_embeddings(after, before, images, CPU)
    assert kept.objects > 100
    assert kept.cosine > 0.98
    for name, value in after.state_dict().items():
        assert ("embedding" in name) or torch.equal(value, turned.state_dict()[name])


def test_without_the_fit_they_would_be_others(before, images):
    other = copy.deepcopy(before)
    with torch.no_grad():
        for head in other.heads:
            head.embedding.weight.neg_()
            head.embedding.bias.neg_()
    inverted = copy.deepcopy(other)
    assert align_embeddings(other, before, images, CPU).cosine > 0.98
    with torch.inference_mode():
        picture = torch.zeros(1, 3, 64, 64)
        first, last = (network.eval()(picture).embeddings for network in (before, inverted))
        assert torch.nn.functional.cosine_similarity(first, last, dim=2).mean() < -0.95


def test_another_size_and_pictures_without_objects_are_refused(before, images):
    with pytest.raises(ValueError, match="features of 8 numbers"):
        align_embeddings(RoadNet(replace(TINY, embedding_size=4)), before, images, CPU)
    with pytest.raises(ValueError, match="finds nothing"):
        align_embeddings(copy.deepcopy(before), before, [], CPU)
