"""JAAD from its repository: hand-made files, a round trip of real tracks, and what may be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.raw_downloads import no_advance, part_of_jaad, write_jaad_download

from perception.benchmarks import JAAD
from perception.benchmarks.conversion import convert
from perception.benchmarks.conversion.jaad import convert_jaad
from perception.errors import UsageError

BOX = """<box frame="{frame}" keyframe="1" occluded="1" outside="0" xbr="{right}.0" xtl="100.0" ybr="300.0" ytl="200.0">
<attribute name="id">0_1_{pid}</attribute><attribute name="old_id">pedestrian1</attribute>{said}
<attribute name="occlusion">{occlusion}</attribute></box>"""
BEHAVIOUR = (
    '<attribute name="look">looking</attribute><attribute name="action">standing</attribute>'
    '<attribute name="cross">crossing</attribute>'
)
META = "<meta><task><size>4</size><original_size><width>1280</width><height>720</height></original_size></task></meta>"


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """Two videos of four frames: in the first a pedestrian with behaviour and a group, in the second nobody."""
    folder = tmp_path / "JAAD"
    for name in ("annotations", "annotations_vehicle"):
        (folder / name).mkdir(parents=True)
    boxes = "".join(
        BOX.format(frame=frame, right=150 + frame, pid="3b", said=BEHAVIOUR, occlusion=occlusion)
        for frame, occlusion in ((0, "none"), (1, "part"), (3, "full"))
    )
    group = BOX.format(frame=2, right=400, pid="1p", said="", occlusion="none")
    tracks = f'<track label="pedestrian">{boxes}</track><track label="people">{group}</track>'
    (folder / "annotations" / "video_0001.xml").write_text(f"<annotations>{META}{tracks}</annotations>")
    (folder / "annotations" / "video_0002.xml").write_text(f"<annotations>{META}</annotations>")
    actions = ("stopped", "moving_fast", "decelerating", "accelerating")
    frames = "".join(f'<frame action="{action}" id="{number}" />' for number, action in enumerate(actions))
    for number, text in ((1, frames), (2, frames.replace('id="3"', 'id="30"'))):
        path = folder / "annotations_vehicle" / f"video_000{number}_vehicle.xml"
        path.write_text(f"<vehicle_info>{text}</vehicle_info>")
    for split in ("default", "high_visibility", "all_videos"):
        (folder / "split_ids" / split).mkdir(parents=True)
        for part, text in (
            ("train", "video_0002\n" if split == "all_videos" else ""),
            ("val", ""),
            ("test", "video_0001\n"),
        ):
            (folder / "split_ids" / split / f"{part}.txt").write_text(text)
    return folder


def test_boxes_behaviour_splits_and_the_cars_action(download):
    columns = convert_jaad(download, no_advance).columns
    assert columns["videos"].tolist() == ["video_0001", "video_0002"]
    assert columns["split_default"].tolist() == [2, 255]
    assert columns["split_all"].tolist() == [2, 0]
    assert (columns["width"].tolist(), columns["height"].tolist()) == ([1280, 1280], [720, 720])
    assert columns["track_pid"].tolist() == ["0_1_3b", "0_1_1p"]
    assert columns["track_kind"].tolist() == [0, 2]
    assert columns["offset"].tolist() == [0, 3, 4]
    assert columns["frame"].tolist() == [0, 1, 3, 2]
    assert columns["box"].tolist() == [[100, 200, 150 + frame, 300] for frame in (0, 1, 3)] + [[100, 200, 400, 300]]
    assert columns["occlusion"].tolist() == [0, 1, 2, 0]
    behaviour = {name: columns[name].tolist() for name in ("walking", "looking", "crossing")}
    assert behaviour == {"walking": [0, 0, 0, 255], "looking": [1, 1, 1, 255], "crossing": [1, 1, 1, 255]}
    assert columns["vehicle_action"].tolist() == [0, 2, 3, 4, 0, 2, 3, 255]
    assert columns["vehicle_offset"].tolist() == [0, 4, 8]


@pytest.mark.parametrize(
    ("name", "old", "new", "named"),
    [
        ("annotations/video_0001.xml", "</annotations>", "", "video_0001.xml: is no complete XML"),
        ("annotations/video_0001.xml", "<size>4</size>", "", "video_0001.xml: does not give the video's size"),
        ("annotations/video_0001.xml", 'label="people"', 'label="cat"', "track 2"),
        ("annotations/video_0001.xml", 'xtl="100.0"', "", "track 1, frame 0: 'xtl'"),
        ("annotations/video_0001.xml", 'xtl="100.0"', 'xtl="left"', "track 1, frame 0"),
        ("annotations/video_0001.xml", 'xtl="100.0"', 'xtl="100000"', "too large"),
        ("annotations/video_0001.xml", ">looking<", ">asleep<", "track 1, frame 0: 'asleep'"),
        ("annotations_vehicle/video_0002_vehicle.xml", "stopped", "flying", "frame 0: 'flying'"),
        ("split_ids/default/test.txt", "0001", "0009", "test.txt: names video_0009"),
    ],
)
def test_a_broken_file_is_named(download, name, old, new, named):
    path = download / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UsageError, match=named):
        convert_jaad(download, no_advance)


@pytest.mark.parametrize(
    "name", ["split_ids/default/val.txt", "annotations_vehicle/video_0001_vehicle.xml", "split_ids", "annotations"]
)
def test_what_is_missing_is_named(download, name):
    (download / name).rename(download / "elsewhere")
    with pytest.raises(UsageError, match=name):
        convert_jaad(download, no_advance)


@pytest.mark.shared
def test_real_tracks_come_back_as_they_were(shared_dir, tmp_path):
    with np.load(shared_dir / "benchmarks" / "jaad_tracks.npz") as content:
        # A video without tracks, one of 1280x720, one whose tracks have gaps, one of each split, groups of people.
        expected = part_of_jaad(content, [1, 4, 5, 12, 19, 53, 60])
    convert("jaad", write_jaad_download(tmp_path / "JAAD", expected), tmp_path / "j.npz", no_advance)
    with np.load(tmp_path / "j.npz") as content, np.load(shared_dir / "benchmarks" / "jaad_tracks.npz") as original:
        assert set(content) == set(original)
        for name, values in expected.items():
            np.testing.assert_array_equal(content[name], values, err_msg=name)
            assert content[name].dtype.kind == original[name].dtype.kind
            assert content[name].dtype == original[name].dtype or content[name].dtype.kind == "U"
    assert len(JAAD.read(tmp_path / "j.npz", "test", "")) > 0
