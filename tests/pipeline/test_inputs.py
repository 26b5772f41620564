"""The source that a configuration names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.media import write_video

from perception.errors import UsageError
from perception.pipeline.config import RunConfig
from perception.pipeline.inputs import open_configured_source, with_bundled_source


def test_without_a_source_the_bundled_drive_is_taken(tmp_path: Path) -> None:
    (source,) = with_bundled_source(RunConfig()).source
    assert Path(source).parts[-2:] == ("data", "recording")
    assert with_bundled_source(RunConfig(source=["a.mp4"])).source == ["a.mp4"]


def test_stride_and_rig_are_those_of_the_configuration(tmp_path: Path) -> None:
    video = str(write_video(tmp_path / "street.mp4", [np.zeros((90, 160, 3), np.uint8)] * 24))
    assert open_configured_source(RunConfig(source=[video])).rig is None
    source = open_configured_source(RunConfig(source=[video], rig="dashboard", stride=3))
    assert source.length == 8
    assert source.rig is not None


def test_the_road_may_lie_elsewhere(tmp_path: Path) -> None:
    video = str(write_video(tmp_path / "street.mp4", [np.zeros((90, 160, 3), np.uint8)] * 24))
    rig = open_configured_source(RunConfig(source=[video], rig="dashboard", road_height=-0.25)).rig
    assert rig is not None and rig.road_height_m == -0.25
    with pytest.raises(UsageError, match="not calibrated; give a `rig`") as uncalibrated:
        open_configured_source(RunConfig(source=[video], road_height=0.5))
    assert (uncalibrated.value.field, uncalibrated.value.value) == ("road_height", 0.5)
    with pytest.raises(UsageError, match="below the road") as too_high:
        open_configured_source(RunConfig(source=[video], rig="dashboard", road_height=4))
    assert too_high.value.field == "road_height"
