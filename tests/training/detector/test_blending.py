"""Between two networks, by hand-made cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from perception.detection import save_roadnet
from perception.detection.roadnet.network import RoadNet, RoadNetConfig
from perception.errors import UsageError
from perception.training.detector.blending import blend

TINY = RoadNetConfig(stage_channels=(16, 24, 32), stage_depths=(1, 1, 1), channels=16, embedding_size=8)


def filled(value: float, config: RoadNetConfig = TINY) -> RoadNet:
    model = RoadNet(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)
    return model


def test_each_weight_lies_between_both_but_for_the_embedding(tmp_path: Path) -> None:
    save_roadnet(filled(4.0), tmp_path / "start.safetensors")
    model = filled(2.0)
    blend(model, tmp_path / "start.safetensors", 0.25)
    for name, parameter in model.named_parameters():
        assert set(parameter.unique().tolist()) == ({2.0} if "embedding" in name else {2.5})


def test_of_nanodets_tensors_the_embedding_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def four_everywhere(model: RoadNet, state: dict[str, torch.Tensor]) -> None:
        model.load_state_dict(filled(4.0).state_dict())

    monkeypatch.setattr("perception.training.detector.blending.load_nanodet", four_everywhere)
    save_file({"convrelu_0.weight": torch.zeros(1)}, tmp_path / "coco.safetensors")
    model = filled(2.0)
    blend(model, tmp_path / "coco.safetensors", 0.5)
    for name, parameter in model.named_parameters():
        assert set(parameter.unique().tolist()) == ({2.0} if "embedding" in name else {3.0})


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    save_roadnet(RoadNet(replace(TINY, channels=24)), tmp_path / "wide.safetensors")
    torch.save({"convrelu_0.weight": torch.zeros(1)}, tmp_path / "coco.pth")
    with pytest.raises(UsageError, match="another size"):
        blend(filled(1.0), tmp_path / "wide.safetensors", 0.5)
    with pytest.raises(UsageError, match="does not fit"):
        blend(filled(1.0), tmp_path / "coco.pth", 0.5)
