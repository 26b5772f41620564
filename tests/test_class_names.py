"""Names of classes as files state them, and what they stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from perception.class_names import ClassMap, names_of, read_class_map
from perception.errors import UsageError
from perception.taxonomy import CLASSES


@pytest.mark.parametrize(
    "stated",
    [
        ["person", "van"],
        {0: "person", 1: "van"},
        {"1": "van", "0": "person"},
        "{0: 'person', 1: 'van'}",
        '["person", "van"]',
        "person, van",
        "person\nvan\n",
    ],
)
def test_names_in_each_of_their_spellings(stated: object) -> None:
    assert names_of(stated) == ("person", "van")


@pytest.mark.parametrize("stated", [{1: "person"}, {0: "a", 2: "b"}, [], "", 3, None, "a,,b", "[" * 100_000 + ",,a"])
def test_what_names_nothing(stated: object) -> None:
    assert names_of(stated) is None


def test_a_file_of_a_data_set_names_and_maps(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_text(
        "path: x\nnc: 3\nnames: {0: Forklift, 1: person, 2: taxi}\nclass_map: {forklift: lorry, taxi: null}\n"
    )
    found = read_class_map(path)
    assert found.names == ("Forklift", "person", "taxi")
    assert found.stands_for == ("truck", "pedestrian", None)
    assert found.description == (
        "Of 3 classes these are road users: Forklift as truck, person as pedestrian; left out: taxi."
    )
    (tmp_path / "labels.txt").write_text("car\r\nbus\r\n")
    assert read_class_map(tmp_path / "labels.txt").names == ("car", "bus")


def test_long_lists_are_cut() -> None:
    description = ClassMap(tuple(f"thing {number}" for number in range(80))).description
    assert description.endswith("left out: thing 0, thing 1, thing 2, thing 3, thing 4, thing 5 and 74 more.")
    assert "road users: none;" in description


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("train: x\n", "has neither names nor class_map"),
        ("names: {1: car}\n", "names: expected a list"),
        ("names: [car]\nclass_map: {lorry: truck}\n", "class_map: lorry is none of the names"),
        ("class_map: {forklift: crane}\n", f"forklift: crane is none of {', '.join(CLASSES)}"),
        ("class_map: [truck]\n", "class_map: expected own names"),
        ("- car\n", "has neither"),
    ],
)
def test_wrong_files_are_told(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(content)
    with pytest.raises(UsageError, match=f"map.yaml: .*{sentence}"):
        read_class_map(path)
