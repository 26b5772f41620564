"""How cameras moved is in the lines of forecasts, and comes back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.scenes import make_scene

from perception.errors import UsageError
from perception.geometry.rotation import rotation_matrix
from perception.results import ResultWriter, read_results
from perception.types import EgoMotion, EgoMotions, Forecasts, Tracks

TURNED = EgoMotion(
    dt_s=0.1,
    now_from_before=rotation_matrix(np.array([0.001, -0.02, 0.0003])),
    rotation_stds_rad=np.array([1e-4, 2e-4, 1e-4]),
    camera_matrix=np.array([[457.0, 0.0, 320.0], [0.0, 457.0, 180.0], [0.0, 0.0, 1.0]]),
    image_size_px=(640, 360),
    direction=np.array([0.0, 0.0, 1.0]),
    speed_mps=8.25,
)
STANDS = EgoMotion(
    dt_s=0.1,
    now_from_before=np.eye(3),
    rotation_stds_rad=np.full(3, 3e-4),
    camera_matrix=TURNED.camera_matrix,
    image_size_px=(640, 360),
    from_poses=True,
)


def written(folder: Path, ego_motions: EgoMotions) -> Path:
    scene = make_scene(Tracks.empty(), Forecasts.empty(), cameras=("front", "rear"))
    object.__setattr__(scene, "ego_motions", ego_motions)
    with ResultWriter(folder, cameras=["front", "rear"]) as writer:
        writer.write(scene)
    return folder


def test_what_was_measured_comes_back(tmp_path: Path) -> None:
    (record,) = read_results(written(tmp_path / "run", {"front": TURNED, "rear": STANDS})).forecasts
    assert list(record.ego_motions) == ["front", "rear"]
    front, rear = record.ego_motions["front"], record.ego_motions["rear"]
    np.testing.assert_allclose(front.now_from_before, TURNED.now_from_before, atol=2e-7)
    np.testing.assert_allclose(front.rotation_stds_rad, TURNED.rotation_stds_rad, atol=1e-7)
    np.testing.assert_array_equal(front.camera_matrix, TURNED.camera_matrix)
    assert front.direction is not None
    np.testing.assert_allclose(front.direction, [0, 0, 1])
    assert (front.dt_s, front.image_size_px, front.speed_mps, front.from_poses) == (0.1, (640, 360), 8.25, False)
    assert (rear.direction, rear.speed_mps, rear.from_poses) == (None, None, True)
    np.testing.assert_array_equal(rear.now_from_before, np.eye(3))


def test_lines_of_a_run_without_ego_motion_do_not_speak_of_it(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", {})
    assert "ego_motion" not in json.loads((folder / "forecasts.jsonl").read_text())
    assert read_results(folder).forecasts[0].ego_motions == {}


@pytest.mark.parametrize(
    ("key", "value"), [("now_from_before_rad", [0.1]), ("dt_s", 0), ("camera_matrix", [1]), ("image_size_px", [640])]
)
def test_a_wrong_ego_motion_is_an_error_that_names_the_line(tmp_path: Path, key: str, value: object) -> None:
    folder = written(tmp_path / "run", {"front": TURNED})
    path = folder / "forecasts.jsonl"
    line = json.loads(path.read_text())
    line["ego_motion"]["front"][key] = value
    path.write_text(json.dumps(line) + "\n")
    with pytest.raises(UsageError, match="line 1"):
        read_results(folder)
