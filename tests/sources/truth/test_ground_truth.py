from pathlib import Path

import numpy as np
import pytest
from support.media import numbered_image, write_video

from perception.errors import UsageError
from perception.sources import open_source, read_box_truth, read_objects, read_truth
from perception.taxonomy import CLASSES
from perception.types import BoxTable, ObjectTable

OBJECTS_HEADER = "frame_index,camera,id,class,x1,y1,x2,y2\n"
OBJECTS_3D_HEADER = "timestamp_ns,id,class,x,y,z,length,width,height,yaw,speed_mps,brake,indicator\n"


@pytest.fixture
def mot(tmp_path: Path) -> Path:
    folder = tmp_path / "seq"
    folder.mkdir()
    write_video(folder / "video.mp4", [numbered_image(n) for n in range(4)])
    (folder / "seqinfo.ini").write_text("[Sequence]\nframeRate=10\nseqLength=4\n")
    return folder


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    folder = tmp_path / "drive"
    folder.mkdir()
    write_video(folder / "a.mp4", [numbered_image(n) for n in range(4)])
    write_video(folder / "b.mp4", [numbered_image(n) for n in range(2)])
    (folder / "recording.yaml").write_text("cameras: {left: {video: a.mp4}, right: {video: b.mp4}}")
    return folder


def test_mot_boxes_are_corners_and_frames_count_from_zero(mot: Path) -> None:
    (mot / "gt.txt").write_text("1,7,10.5,20,30,40,1,1,1\n\n4,7,11,21,30,40,1,6,0.5\n4,8,1,2,3,4,1,3,1\n")
    truth = read_truth(mot)
    assert isinstance(truth, BoxTable)
    assert truth.frame_indices.tolist() == [0, 3, 3]
    assert truth.ids.tolist() == [7, 7, 8]
    assert [CLASSES[label] for label in truth.labels] == ["car", "pedestrian", "bus"]
    np.testing.assert_array_equal(truth.boxes_xyxy_px, [[10.5, 20, 40.5, 60], [11, 21, 41, 61], [1, 2, 4, 6]])
    assert truth.cameras.tolist() == ["seq"] * 3 == list(open_source([str(mot)]).cameras) * 3
    assert truth.scores.tolist() == [1, 1, 1]


def test_mot_truth_in_its_standard_folder_and_an_empty_one(mot: Path) -> None:
    (mot / "gt").mkdir()
    (mot / "gt" / "gt.txt").write_text("2,1,0,0,5,5,1,1,1\n")
    truth = read_truth(str(mot))
    assert truth is not None and truth.frame_indices.tolist() == [1]
    (mot / "gt" / "gt.txt").write_text("")
    empty = read_truth(mot)
    assert empty is not None and len(empty) == 0 and empty.boxes_xyxy_px.shape == (0, 4)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("2,1,0,0,5,5,1,1", "line 2, column visibility: is missing"),
        ("2,1,left,0,5,5,1,1,1", "line 2, column x: not a number"),
        ("2,1,0,inf,5,5,1,1,1", "line 2, column y: not a number"),
        ("2,1.5,0,0,5,5,1,1,1", "line 2, column id: not a whole number"),
        ("2,1,0,0,-5,5,1,1,1", "line 2, column w: a width must be positive"),
        ("2,1,0,0,5,0,1,1,1", "line 2, column h: a height must be positive"),
        ("2,1,0,0,5,5,sure,1,1", "line 2, column conf: not a number"),
        ("2,1,0,0,5,5,1,0,1", "line 2, column class: unknown class"),
        ("2,1,0,0,5,5,1,14,1", "line 2, column class: unknown class"),
        ("2,1,0,0,5,5,1,1,seen", "line 2, column visibility: not a number"),
        ("0,1,0,0,5,5,1,1,1", "line 2, column frame: frames count from 1"),
        ("5,1,0,0,5,5,1,1,1", "line 2, column frame: past the end of the 4 frames"),
        ("1,1,0,0,5,5,1,2,1", "line 2, column id: occurs twice"),
    ],
)
def test_each_fault_in_mot_truth_is_refused(mot: Path, row: str, fault: str) -> None:
    (mot / "gt.txt").write_text("1,1,0,0,5,5,1,1,1\n" + row + "\n")
    with pytest.raises(UsageError) as caught:
        read_truth(mot)
    assert f"gt.txt, {fault}" in str(caught.value)


def test_objects_of_a_recording_by_frame_and_by_time(recording: Path) -> None:
    (recording / "objects.csv").write_text(
        "speed_mps," + OBJECTS_HEADER + "3.5,3,left,9,truck,1,2,3,4\n0,1,right,9,bicycle,5,6,7,8\n"
    )
    by_frame = read_truth(recording)
    (recording / "objects.csv").write_text(
        "timestamp_ns,camera,id,class,x1,y1,x2,y2\n340000000,left,9,truck,1,2,3,4\n100000000,right,9,bicycle,5,6,7,8\n"
    )
    by_time = read_truth(recording)
    assert by_frame is not None and by_time is not None
    for truth in (by_frame, by_time):
        assert truth.frame_indices.tolist() == [3, 1]
        assert truth.cameras.tolist() == ["left", "right"]
        assert [CLASSES[label] for label in truth.labels] == ["truck", "bicycle"]
        np.testing.assert_array_equal(truth.boxes_xyxy_px, [[1, 2, 3, 4], [5, 6, 7, 8]])


def test_class_names_of_other_data_sets_are_translated(recording: Path) -> None:
    names = ["person", "Van", "cyclist", "vehicle.bus.rigid", "motorbike", "truck"]
    rows = [f"0,left,{number},{name},0,0,1,1\n" for number, name in enumerate(names)]
    (recording / "objects.csv").write_text(OBJECTS_HEADER + "".join(rows))
    rows = [f"0,{number},{name},1,2,3,4,2,1,0,0,0,0\n" for number, name in enumerate(names)]
    (recording / "objects3d.csv").write_text(OBJECTS_3D_HEADER + "".join(rows))
    truth, objects = read_truth(recording), read_objects(recording)
    assert truth is not None and objects is not None
    for table in (truth, objects):
        assert [CLASSES[label] for label in table.labels] == [
            "pedestrian",
            "car",
            "bicycle",
            "bus",
            "motorcycle",
            "truck",
        ]
    # A rider alone is no pedestrian, and nothing is guessed.
    (recording / "objects.csv").write_text(OBJECTS_HEADER + "0,left,1,person,0,0,1,1\n0,left,2,rider,0,0,1,1\n")
    with pytest.raises(UsageError, match="line 3, column class: unknown class, expected car, truck"):
        read_truth(recording)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("frame_index,camera,id,x1,y1,x2,y2\n", "line 1, column class: is missing"),
        ("camera,id,class,x1,y1,x2,y2\nleft,1,car,0,0,1,1\n", "line 1, column frame_index: is missing"),
        (OBJECTS_HEADER + "0,front,1,car,0,0,1,1\n", "line 2, column camera: unknown camera"),
        (OBJECTS_HEADER + "0,left,1,tram,0,0,1,1\n", "line 2, column class: unknown class"),
        (OBJECTS_HEADER + "0,left,1,car,5,0,5,1\n", "line 2, column x2"),
        (OBJECTS_HEADER + "0,left,1,car,0,5,1,4\n", "line 2, column y2"),
        (OBJECTS_HEADER + "0,left,one,car,0,0,1,1\n", "line 2, column id: not a number"),
        (
            OBJECTS_HEADER + "1,right,1,car,0,0,1,1\n2,right,1,car,0,0,1,1\n",
            "line 3, column frame_index: past the end of the 2 frames of camera right, in 1 row",
        ),
        (OBJECTS_HEADER + "-1,left,1,car,0,0,1,1\n", "line 2, column frame_index: frames count from 0"),
        (OBJECTS_HEADER + "0,left,1,car,0,0,1,1\n" * 2, "column id: occurs twice"),
        (
            "timestamp_ns,camera,id,class,x1,y1,x2,y2\n400000000,left,1,car,0,0,1,1\n",
            "line 2, column timestamp_ns: camera left has no frame",
        ),
        ("", "is empty"),
    ],
)
def test_each_fault_in_objects_is_refused(recording: Path, text: str, fault: str) -> None:
    (recording / "objects.csv").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_truth(recording)
    assert "objects.csv" in str(caught.value) and fault in str(caught.value)


def test_how_much_can_be_seen_is_kept(recording: Path) -> None:
    header = OBJECTS_HEADER.replace("x1", "visible_x1,visible_share,x1")
    (recording / "objects.csv").write_text(header + "0,left,1,car,9,0.25,0,0,1,1\n0,right,1,car,9,1,0,0,1,1\n")
    truth = read_truth(recording)
    assert truth is not None and truth.visible_shares is not None
    assert truth.visible_shares.tolist() == [0.25, 1] and truth.boxes_xyxy_px[0].tolist() == [0, 0, 1, 1]
    (recording / "objects.csv").write_text(header + "0,left,1,car,9,1.25,0,0,1,1\n")
    with pytest.raises(UsageError, match="line 2, column visible_share: expected a share"):
        read_truth(recording)


def test_objects_in_the_world(recording: Path) -> None:
    assert read_objects(recording) is None
    (recording / "objects3d.csv").write_text(
        OBJECTS_3D_HEADER
        + "0,7,car,1.5,2,0.75,4.5,1.8,1.5,-0.5,13.9,1,0\n"
        + "100000000,7,car,2.9,2,0.75,4.5,1.8,1.5,-0.5,13.9,0,0\n"
        + "100000000,9,pedestrian,5,6,0.9,0.6,0.6,1.8,3,1.2,,\n"
    )
    objects = read_objects(str(recording))
    assert isinstance(objects, ObjectTable)
    assert objects.timestamps_ns.tolist() == [0, 100_000_000, 100_000_000]
    assert objects.ids.tolist() == [7, 7, 9] and [CLASSES[label] for label in objects.labels[1:]] == [
        "car",
        "pedestrian",
    ]
    np.testing.assert_array_equal(objects.centres_m[0], [1.5, 2, 0.75])
    np.testing.assert_array_equal(objects.sizes_lwh_m[2], [0.6, 0.6, 1.8])
    np.testing.assert_array_equal(objects.yaws_rad, [-0.5, -0.5, 3])
    np.testing.assert_array_equal(objects.speeds_mps, [13.9, 13.9, 1.2])


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("0,7,tram,1,2,3,4,2,1,0,0,0,0", "column class: unknown class"),
        ("0,7,car,1,2,nan,4,2,1,0,0,0,0", "column z: not a number"),
        ("0,7,car,1,2,3,0,2,1,0,0,0,0", "column length: a size must be positive"),
        ("0,7,car,1,2,3,4,2,-1,0,0,0,0", "column height: a size must be positive"),
        ("0,7,car,1,2,3,4,2,1,east,0,0,0", "column yaw: not a number"),
        ("0.5,7,car,1,2,3,4,2,1,0,0,0,0", "column timestamp_ns: not a whole number"),
        ("0,1,car,1,2,3,4,2,1,0,0,0,0", "column id: occurs twice at this time"),
        ("0,7,car,1,2,3,4,2,1,0", "column speed_mps: is missing"),
    ],
)
def test_each_fault_in_objects_in_the_world_is_refused(recording: Path, row: str, fault: str) -> None:
    (recording / "objects3d.csv").write_text(OBJECTS_3D_HEADER + "0,1,car,1,2,3,4,2,1,0,0,0,0\n" + row + "\n")
    with pytest.raises(UsageError) as caught:
        read_objects(recording)
    assert f"objects3d.csv, line 3, {fault}" in str(caught.value)


def test_the_same_id_in_two_cameras_is_one_object_seen_twice(recording: Path) -> None:
    (recording / "objects.csv").write_text(OBJECTS_HEADER + "0,left,1,car,0,0,1,1\n0,right,1,car,0,0,1,1\n")
    truth = read_truth(recording)
    assert truth is not None and truth.ids.tolist() == [1, 1]


def test_no_ground_truth_is_none(mot: Path, recording: Path, tmp_path: Path) -> None:
    assert read_truth(mot) is None
    assert read_truth(recording) is None
    assert read_truth(recording / "a.mp4") is None
    assert read_truth("0") is None


def test_regions_to_ignore_of_a_recording(recording: Path) -> None:
    rows = "0,left,1,car,1,1,5,5\n0,left,1,ignore,10,10,50,50\n0,left,1,distractor,1,1,2,2\n"
    (recording / "objects.csv").write_text(OBJECTS_HEADER + rows)
    truth = read_box_truth(recording)
    assert truth is not None and len(truth.boxes) == 1
    assert truth.ignored.is_object.tolist() == [False, True]
    assert truth.ignored.boxes_xyxy_px.tolist() == [[10, 10, 50, 50], [1, 1, 2, 2]]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("folder", "counts"), [("test_noon", [1426, 1232, 83, 0, 0, 0]), ("train_rain", [2591, 1806, 109, 0, 0, 0])]
)
def test_real_motorway_truth(shared_dir: Path, folder: str, counts: list[int]) -> None:
    truth = read_truth(shared_dir / "real" / "motorway" / folder)
    assert truth is not None
    assert np.bincount(truth.labels, minlength=len(CLASSES)).tolist() == counts
    assert (truth.boxes_xyxy_px[:, 2:] > truth.boxes_xyxy_px[:, :2]).all()
