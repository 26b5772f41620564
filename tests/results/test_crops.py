"""Each track's picture: which instant it is of, where it is cut, and when it is on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from perception.results import CropWriter
from perception.types import Frame, FrameSet, Scene, Tracks

SceneOfTrack = Callable[..., Scene]
BOX = (10, 20, 50, 60)


@pytest.fixture
def scene_with(tracks_of: Callable[..., Tracks]) -> SceneOfTrack:
    """One track, or none, before a plain grey of ``value``."""

    def make(score: float | None, value: int, *, label: int = 0, box: tuple[int, ...] = BOX) -> Scene:
        image = np.full((240, 320, 3), value, np.uint8)
        frames = FrameSet((Frame(image, "front", 0, 0),), 0, 0)
        tracks = tracks_of([] if score is None else [box], [] if score is None else [7])
        if score is not None:
            tracks = replace(tracks, scores=np.array([score]), labels=np.array([label]))
        return Scene(frame_set=frames, detections={}, tracks=tracks, forecasts=None)  # type: ignore[arg-type]

    return make


def crop(path: Path) -> NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(path)), np.uint8)


def test_the_best_score_counts(tmp_path: Path, scene_with: SceneOfTrack) -> None:
    writer = CropWriter(tmp_path)
    for score, value in ((0.5, 50), (0.9, 150), (0.7, 250)):
        writer.write(scene_with(score, value))
    assert not (tmp_path / "crops").exists(), "a track that lives may have a better picture yet"
    writer.write(scene_with(None, 0))
    picture = crop(tmp_path / "crops" / "car" / "7.jpg")
    assert picture.shape == (40, 40, 3)
    assert abs(picture.astype(int) - 150).max() <= 2


def test_a_track_that_comes_back_better_has_one_picture(tmp_path: Path, scene_with: SceneOfTrack) -> None:
    writer = CropWriter(tmp_path)
    writer.write(scene_with(0.5, 50))
    writer.write(scene_with(None, 0))
    writer.write(scene_with(0.4, 90))
    writer.write(scene_with(0.8, 200, label=1))
    writer.close()
    (path,) = (tmp_path / "crops").rglob("*.jpg")
    assert path.parent.name == "truck" and crop(path).mean() == pytest.approx(200, abs=2)


def test_boxes_are_cut_at_the_edge_and_those_outside_left_out(tmp_path: Path, scene_with: SceneOfTrack) -> None:
    writer = CropWriter(tmp_path)
    writer.write(scene_with(0.9, 50, box=(-40, 0, -10, 30)))
    writer.write(scene_with(0.5, 100, box=(300, -10, 400, 30)))
    writer.close()
    writer.close()
    assert crop(tmp_path / "crops" / "car" / "7.jpg").shape == (30, 20, 3)
