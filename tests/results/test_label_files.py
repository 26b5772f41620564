"""YOLO's text of a run: what a line holds, which file it is in, and that it can be read back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from perception.results import LabelWriter
from perception.results.formats.pictures import PictureIndex
from perception.results.formats.registry import find_format
from perception.taxonomy import CLASSES
from perception.types import Scene, Tracks

TracksOf, SceneOf = Callable[..., Tracks], Callable[..., Scene]


def test_a_line_is_normalised_and_ends_with_score_and_id(
    tmp_path: Path, tracks_of: TracksOf, scene_of: SceneOf
) -> None:
    writer = LabelWriter(tmp_path, name="a drive", cameras=["front"])
    writer.write(scene_of(tracks_of([[32, 24, 96, 72]], [7])))  # in 320 x 240 pixels
    writer.write(scene_of(index=1))
    writer.close()
    assert (tmp_path / "labels" / "a-drive_000001.txt").read_text() == "0 0.2 0.2 0.2 0.2 0.9 7\n"
    assert (tmp_path / "labels" / "a-drive_000002.txt").read_text() == "", "looked at, and nothing was there"
    assert (tmp_path / "labels" / "classes.txt").read_text().split() == list(CLASSES)


def test_what_is_only_predicted_is_left_out(tmp_path: Path, tracks_of: TracksOf, scene_of: SceneOf) -> None:
    writer = LabelWriter(tmp_path, name="drive", cameras=["front"])
    writer.write(scene_of(tracks_of([[0, 0, 9, 9], [20, 0, 29, 9]], unseen_s=[0.2, 0.0])))
    (line,) = (tmp_path / "labels" / "drive_000001.txt").read_text().splitlines()
    assert line.split()[-1] == "2"


def test_the_tracks_can_be_read_back(tmp_path: Path, tracks_of: TracksOf, scene_of: SceneOf) -> None:
    writer = LabelWriter(tmp_path, name="drive", cameras=["front"])
    boxes = [[1.5, 2.25, 33.5, 44.75], [100, 20, 300, 200]]
    for number in range(3):
        writer.write(scene_of(tracks_of(boxes, [4, 9]), index=number))
    pictures = PictureIndex(name="drive", frame_counts={"front": 3}, sizes_px={"front": (320, 240)})
    found = find_format(tmp_path / "labels")
    tracks = found.read(tmp_path / "labels", pictures).tracks
    assert found.name == "yolo" and tracks is not None
    assert tracks.ids.tolist() == [4, 9] * 3 and tracks.frame_indices.tolist() == [0, 0, 1, 1, 2, 2]
    np.testing.assert_allclose(tracks.boxes_xyxy_px, boxes * 3, atol=1e-4)
    assert tracks.labels.tolist() == [0, 1] * 3


def test_each_of_several_cameras_has_a_folder(tmp_path: Path, tracks_of: TracksOf, scene_of: SceneOf) -> None:
    cameras = ["front", "left/rear"]
    writer = LabelWriter(tmp_path, name="drive", cameras=cameras)
    tracks = tracks_of([[0, 0, 9, 9], [20, 0, 29, 9]], cameras=cameras)
    writer.write(scene_of(tracks, cameras=cameras))
    lines = [(tmp_path / "labels" / name / "drive_000001.txt").read_text() for name in ("front", "left_rear")]
    assert [line.split()[-1] for line in lines] == ["1", "2"]
