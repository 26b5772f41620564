"""Classes are known by the names of other data sets."""

from __future__ import annotations

import pytest

from perception.taxonomy import CLASS_ALIASES, CLASSES, COCO80_COLUMNS, LABEL_OF_COCO91, USUAL_SIZES_LWH_M, label_of


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("car", "Car", " VAN ", "vehicle.car"), "car"),
        (("Truck", "vehicle.truck"), "truck"),
        (("Bus/RV/Caravan", "vehicle.bus.bendy", "vehicle.bus.rigid"), "bus"),
        (("motorbike", "vehicle.motorcycle"), "motorcycle"),
        (("bike", "Cyclist", "vehicle.bicycle"), "bicycle"),
        (("person", "Pedestrian", "Person_sitting", "human.pedestrian.child"), "pedestrian"),
    ],
)
def test_names_of_other_data_sets(names: tuple[str, ...], expected: str) -> None:
    assert [label_of(name) for name in names] == [CLASSES.index(expected)] * len(names)


@pytest.mark.parametrize("name", ["", "dog", "Tram", "DontCare", "rider", "vehicle.trailer", "stroller"])
def test_what_is_no_road_user_here(name: str) -> None:
    assert label_of(name) is None


def test_aliases_lead_to_classes() -> None:
    assert set(CLASS_ALIASES.values()) <= set(CLASSES)
    assert not set(CLASS_ALIASES) & set(CLASSES)
    assert all(name == name.strip().lower() for name in CLASS_ALIASES)


def test_the_numbers_of_coco() -> None:
    assert COCO80_COLUMNS == (2, 7, 5, 3, 1, 0)
    assert LABEL_OF_COCO91 == {3: 0, 8: 1, 6: 2, 4: 3, 2: 4, 1: 5}
    assert len(USUAL_SIZES_LWH_M) == len(CLASSES)
