"""MOTChallenge's ground truth: columns, class numbers, rows to ignore, the stated size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.media import numbered_image, write_video

from perception.errors import UsageError
from perception.sources import read_box_truth
from perception.taxonomy import CLASSES, MOTCHALLENGE_NAMES
from perception.types import ANY_LABEL


@pytest.fixture
def mot(tmp_path: Path) -> Path:
    folder = tmp_path / "seq"
    (folder / "gt").mkdir(parents=True)
    write_video(folder / "video.mp4", [numbered_image(n) for n in range(4)])
    (folder / "seqinfo.ini").write_text("[Sequence]\nframeRate=10\nseqLength=4\n")
    return folder


def names_of(folder: Path) -> list[str]:
    truth = read_box_truth(folder)
    assert truth is not None and truth.has_classes
    return [CLASSES[label] for label in truth.boxes.labels]


def test_motchallenges_numbers_hold_in_its_own_folder(mot: Path) -> None:
    (mot / "gt" / "gt.txt").write_text("".join(f"1,{n},0,0,5,5,1,{n},1\n" for n in (1, 3, 4, 5)))
    assert names_of(mot) == ["pedestrian", "car", "bicycle", "motorcycle"]
    truth = read_box_truth(mot)
    assert truth is not None and "1 pedestrian, 3 car, 4 bicycle, 5 motorbike" in truth.notes[0]


def test_a_table_of_our_own_beside_seqinfo_has_our_numbers(mot: Path) -> None:
    (mot / "gt.txt").write_text("".join(f"1,{n},0,0,5,5,1,{n},1\n" for n in range(1, 7)))
    assert names_of(mot) == list(CLASSES)
    truth = read_box_truth(mot)
    assert truth is not None and "1 car, 2 truck, 3 bus" in truth.notes[0]


def test_numbers_beyond_ours_can_only_be_motchallenges(mot: Path) -> None:
    (mot / "gt.txt").write_text("1,1,0,0,5,5,1,1,1\n1,2,0,0,5,5,0,8,1\n")
    assert names_of(mot) == ["pedestrian"]


@pytest.mark.parametrize("place", ["gt", "."])
def test_a_labels_file_says_what_the_numbers_mean(mot: Path, place: str) -> None:
    (mot / place / "labels.txt").write_text("bus\nPerson\ndog\nignored_region\n")
    (mot / "gt" / "gt.txt").write_text("".join(f"1,{n},0,0,5,5,1,{n},1\n" for n in (1, 2, 3, 3, 4)))
    assert names_of(mot) == ["bus", "pedestrian"]
    truth = read_box_truth(mot)
    assert truth is not None and len(truth.ignored) == 1 and not truth.ignored.is_object[0]
    assert any("left out: 2 dog" in note for note in truth.notes)
    (mot / "gt" / "gt.txt").write_text("1,1,0,0,5,5,1,5,1\n")
    with pytest.raises(UsageError, match=r"line 1, column class: unknown class, expected 1\.\.4"):
        read_box_truth(mot)


def test_distractors_are_objects_and_unmarked_rows_regions_to_ignore(mot: Path) -> None:
    rows = "".join(f"2,{n},{n},0,5,5,{int(n < 3)},{n},1\n" for n in MOTCHALLENGE_NAMES)
    # Ids of what is ignored may repeat.
    (mot / "gt" / "gt.txt").write_text(rows + "2,8,20,0,5,5,0,8,1\n2,1,30,0,5,5,0,1,1\n")
    truth = read_box_truth(mot)
    assert truth is not None and truth.boxes.ids.tolist() == [1]
    ignored = truth.ignored
    assert set(ignored.labels.tolist()) == {ANY_LABEL} and set(ignored.frame_indices.tolist()) == {1}
    assert set(ignored.cameras.tolist()) == {"seq"}
    left = ignored.boxes_xyxy_px[:, 0].astype(int)
    assert sorted(left[ignored.is_object].tolist()) == [2, 6, 7, 8, 9, 10, 11, 12, 20]
    assert sorted(left[~ignored.is_object].tolist()) == [3, 4, 5, 13, 30]


@pytest.mark.parametrize("rest", ["", ",-1,-1,-1", ",-6.7,-3.25,0"])
def test_files_without_classes_are_read_as_one_class(mot: Path, rest: str) -> None:
    (mot / "gt" / "gt.txt").write_text(f"1,1,0,0,5,5,1{rest}\n2,1,1,0,5,5,0.5{rest}\n2,2,1,0,5,5,0{rest}\n")
    truth = read_box_truth(mot)
    assert truth is not None and not truth.has_classes
    assert truth.boxes.frame_indices.tolist() == [0, 1] and len(truth.ignored) == 1
    assert "says nothing of classes" in truth.notes[0]


@pytest.mark.parametrize(("rest", "shares"), [("3", None), ("3,1", None), ("3,0.25", [0.25]), ("3,0.25,-1", [0.25])])
def test_eight_to_ten_columns_may_have_a_class_and_a_visibility(
    mot: Path, rest: str, shares: list[float] | None
) -> None:
    (mot / "gt" / "gt.txt").write_text(f"1,1,0,0,5,5,1,{rest}\n")
    assert names_of(mot) == ["car"]
    truth = read_box_truth(mot)
    assert truth is not None
    found = truth.boxes.visible_shares
    assert (None if found is None else found.tolist()) == shares


def test_a_shorter_row_is_named(mot: Path) -> None:
    (mot / "gt" / "gt.txt").write_text("1,1,0,0,5,5,1,1,1\n2,1,0,0,5,5,1\n")
    with pytest.raises(UsageError, match="line 2, column class: is missing"):
        read_box_truth(mot)
    (mot / "gt" / "gt.txt").write_text("1,1,0,0,5,5\n")
    with pytest.raises(UsageError, match="line 1, column conf: is missing"):
        read_box_truth(mot)


def test_boxes_of_another_size_are_refused(mot: Path) -> None:
    (mot / "gt" / "gt.txt").write_text("1,1,0,0,5,5,1,1,1\n")
    info = mot / "seqinfo.ini"
    info.write_text(info.read_text() + "imWidth=96\nimHeight=64\n")
    truth = read_box_truth(mot)
    assert truth is not None
    np.testing.assert_array_equal(truth.boxes.boxes_xyxy_px, [[0, 0, 5, 5]])
    info.write_text("[Sequence]\nframeRate=10\nseqLength=4\nimWidth=1920\nimHeight=1080\n")
    with pytest.raises(UsageError, match=r"seqinfo\.ini: states 1920x1080 pixels, but .* has 96x64"):
        read_box_truth(mot)
