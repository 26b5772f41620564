import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.simulated_worlds import car_and_walker, two_cameras, views

from perception.errors import PerceptionError, UsageError
from perception.simulation.recorder import DriveRecorder
from perception.sources import open_source, read_objects, read_truth
from perception.taxonomy import CLASSES


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    rig = two_cameras()
    folder = tmp_path / "drive"
    folder.mkdir()
    with DriveRecorder(folder, rig, fps=5) as recorder:
        for index in range(4):
            recorder.write(car_and_walker(index / 5), views(rig, 40 * index))
    return folder


def test_it_opens_like_any_other_recording(recording: Path):
    source = open_source([str(recording)])
    frame_sets = list(source)
    assert source.cameras == ("front", "rear")
    assert [frame_set.timestamp_ns for frame_set in frame_sets] == [0, 200_000_000, 400_000_000, 600_000_000]
    assert [round(frame_set.frames[1].image.mean(), -1) for frame_set in frame_sets] == [0, 40, 80, 120]
    expected = two_cameras()
    assert source.rig is not None
    for name, camera in expected.cameras.items():
        np.testing.assert_allclose(source.rig.cameras[name].intrinsics, camera.intrinsics)
        np.testing.assert_allclose(source.rig.cameras[name].vehicle_from_camera, camera.vehicle_from_camera, atol=1e-6)


def test_the_world_is_the_car_at_the_start(recording: Path):
    poses = [frame_set.world_from_vehicle for frame_set in open_source([str(recording)])]
    np.testing.assert_allclose(poses[0], np.eye(4), atol=1e-6)
    # It drives straight ahead, which is its own x axis whatever the town calls it.
    np.testing.assert_allclose(poses[3][:3, 3], [6, 0, 0], atol=1e-4)


def test_the_truth_in_the_world(recording: Path):
    objects = read_objects(recording)
    assert objects is not None
    assert objects.timestamps_ns.tolist() == sorted([0, 200_000_000, 400_000_000, 600_000_000] * 2)
    first = objects[objects.timestamps_ns == 0]
    assert [(int(i), CLASSES[label]) for i, label in zip(first.ids, first.labels, strict=True)] == [
        (7, "car"),
        (3, "pedestrian"),
    ]  # the bus is too far away
    np.testing.assert_allclose(first.centres_m, [[20, 0, 0.75], [10, -5, 0.9]], atol=0.01)
    np.testing.assert_allclose(first.yaws_rad, [0, -np.pi / 2], atol=0.001)
    with (recording / "objects3d.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["brake"], row["indicator"]) for row in rows[:2]] == [("1", "off"), ("0", "off")]


def test_the_truth_in_the_images(recording: Path):
    truth = read_truth(recording)
    assert truth is not None and truth.visible_shares is not None
    assert len(truth) == 8  # two objects at four instants; of the bus not a pixel is seen
    walker = truth[(truth.ids == 3) & (truth.frame_indices == 2)]
    assert walker.cameras.tolist() == ["front"]
    np.testing.assert_allclose(walker.boxes_xyxy_px, [[40, 20, 44, 32]])
    assert walker.visible_shares.tolist() == [0.5]
    assert CLASSES[walker.labels[0]] == "pedestrian"


def test_what_was_written_before_an_error_is_a_recording(tmp_path: Path):
    rig = two_cameras()
    with pytest.raises(KeyboardInterrupt), DriveRecorder(tmp_path, rig, fps=5) as recorder:
        recorder.write(car_and_walker(0), views(rig, 50))
        recorder.write(car_and_walker(0.2), views(rig, 50))
        raise KeyboardInterrupt
    assert len(list(open_source([str(tmp_path)]))) == 2
    assert len(read_truth(tmp_path)) == 4


def test_until_it_is_whole_it_says_that_it_is_not(tmp_path: Path):
    recorder = DriveRecorder(tmp_path, two_cameras(), fps=5)
    recorder.write(car_and_walker(0), views(two_cameras(), 50))
    with pytest.raises(UsageError, match="still being written"):
        open_source([str(tmp_path)])
    assert (tmp_path / "objects.csv").read_bytes().endswith(b"\n"), "each instant is on disk at once"
    with recorder:
        pass
    assert len(list(open_source([str(tmp_path)]))) == 1


def test_a_full_disk_leaves_it_unfinished(tmp_path: Path, file_size_limit):
    rig = two_cameras()
    with (
        pytest.raises(PerceptionError, match="cannot be written"),
        DriveRecorder(tmp_path, rig, fps=5) as recorder,
        file_size_limit(6000),
    ):
        for index in range(40):
            recorder.write(car_and_walker(index / 5), views(rig, 50))
    with pytest.raises(UsageError, match="is unfinished"):
        open_source([str(tmp_path)])


def test_a_folder_that_is_removed_is_not_made_again(tmp_path: Path):
    folder = tmp_path / "drive"
    folder.mkdir()
    with (
        pytest.raises(PerceptionError, match="was removed or replaced"),
        DriveRecorder(folder, two_cameras(), fps=5) as recorder,
    ):
        recorder.write(car_and_walker(0), views(two_cameras(), 50))
        shutil.rmtree(folder)
        recorder.write(car_and_walker(0.2), views(two_cameras(), 50))
    assert not folder.exists()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(PerceptionError, match=r"missing.*cannot be written"):
        DriveRecorder(tmp_path / "missing", two_cameras(), fps=5)
