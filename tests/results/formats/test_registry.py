"""The format of a file is seen by its content, whatever its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from perception.errors import UsageError
from perception.results.formats.cvat import read_cvat
from perception.results.formats.pictures import PictureIndex
from perception.results.formats.registry import find_format, known_format

KITTI_OBJECT = "Car -1 -1 -10 1 2 3 4 -1 -1 -1 -1000 -1000 -1000 -10 0.5"
CVAT = (
    '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>\n'
    '<track id="4" label="Car"><box frame="1" outside="0" xtl="1" ytl="2" xbr="3" ybr="4"/>'
    '<box frame="2" outside="1" xtl="1" ytl="2" xbr="3" ybr="4"/></track>'
    '<track id="5" label="tree"><box frame="0" outside="0" xtl="1" ytl="2" xbr="3" ybr="4"/></track></annotations>'
)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "1,1,0,0,5,5,1\n", "mot"),
        ("a.dat", "\n1, 1, 0, 0, 5, 5, 1, -1, -1, -1,\n", "mot"),
        ("a.txt", "", "mot"),
        ("a.txt", f"0 1 {KITTI_OBJECT}\n", "kitti-tracking"),
        ("folder/000001.txt", f"{KITTI_OBJECT}\n", "kitti-object"),
        ("folder/a.txt", "2 0.5 0.5 0.1 0.1 0.9\n", "yolo"),
        ("folder/labels/a.txt", "2 0.5 0.5 0.1 0.1\n", "yolo"),
        ("folder/tracks.txt", "1,1,0,0,5,5,1,1,1\n", "run"),
        ("folder/tracks_front.txt", "1,1,0,0,5,5,1,1,1\n", "run"),
        ("folder/forecasts.jsonl", "", "run"),
        ("a.json", '[\n {"image_id": 1,\n "category_id": 1, "bbox": [1, 2, 3, 4], "score": 1}]', "coco"),
        ("a.json", "[ ]", "coco"),
        ("a.xml", CVAT, "cvat"),
        ("a.jsonl", '{"index":0,"timestamp_ns":0,"cameras":["a"],"dt_s":0.1,"tracks":[]}\n', "forecasts"),
        ("a.csv", "frame_index,id,x1,y1,x2,y2,mode,probability,time_s,x,y,class\n", "csv"),
        ("a.txt", "1 2 3\n", None),
        ("a.txt", "1,1,0,0,5,inf,1\n", None),
        ("a.json", '{"a": 1}', None),
        ("a.xml", "<dataset/>", None),
        ("folder/readme.md", "# none", None),
    ],
)
def test_formats_are_recognised(tmp_path: Path, name: str, content: str, expected: str | None) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(content)
    place = tmp_path / name.split("/")[0]
    found = known_format(place)
    assert (None if found is None else found.name) == expected


def test_a_format_may_be_named_and_an_unknown_one_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a note\n")
    assert find_format(path, "mot").name == "mot"
    with pytest.raises(UsageError, match=r"a\.txt: is of no known format \(run, mot"):
        find_format(path)
    with pytest.raises(UsageError, match="no such file"):
        find_format(tmp_path / "nowhere")


def test_boxes_outside_and_other_classes_of_cvat_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(CVAT)
    found = read_cvat(tmp_path / "a.xml", PictureIndex(name="seq", frame_counts={"front": 3}))
    assert found.tracks is not None and found.tracks.ids.tolist() == [4] and found.tracks.frame_indices.tolist() == [1]
    assert "1 tree" in found.notes[0]


@pytest.mark.parametrize(
    "wrong", [CVAT.replace('xtl="1"', 'xtl="x"'), CVAT.replace('frame="1"', ""), CVAT.replace('xbr="3"', 'xbr="0"')]
)
def test_a_wrong_box_of_cvat_names_its_track(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "a.xml").write_text(wrong)
    with pytest.raises(UsageError, match="track '4' has a wrong id, label, frame or box"):
        read_cvat(tmp_path / "a.xml", PictureIndex(name="seq", frame_counts={"front": 3}))


def test_a_cut_off_file_of_cvat_is_no_xml(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(CVAT[:150])
    with pytest.raises(UsageError, match="cannot be read as XML"):
        read_cvat(tmp_path / "a.xml", PictureIndex(name="seq", frame_counts={"front": 3}))
