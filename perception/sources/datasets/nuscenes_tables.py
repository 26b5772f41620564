"""The tables of nuScenes, read once for all scenes: those of the whole data set are gigabytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from perception.errors import UsageError
from perception.files import read_json

Row = dict[str, Any]


class Tables:
    """The rows of the JSON files in ``folder``, each read when it is first asked for; nobody changes them.

    What is asked for raises ``UsageError`` naming a file that is missing or no list, ``KeyError`` for a missing field.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def scenes(self) -> Mapping[str, Row]:
        """By name."""
        return {str(row["name"]): row for row in self.rows("scene")}

    @cached_property
    def samples(self) -> Mapping[str, Row]:
        """By token."""
        return {row["token"]: row for row in self.rows("sample")}

    @cached_property
    def samples_of_scene(self) -> Mapping[str, Sequence[Row]]:
        """By the token of the scene, in the order of time."""
        found = _grouped(self.samples.values(), "scene_token")
        return {token: sorted(rows, key=lambda row: int(row["timestamp"])) for token, rows in found.items()}

    @cached_property
    def cameras(self) -> Mapping[str, tuple[str, Row]]:
        """The channel and the calibration of each camera, by the token of the calibration."""
        names = {row["token"]: row["channel"] for row in self.rows("sensor") if row["modality"] == "camera"}
        return {
            row["token"]: (names[row["sensor_token"]], row)
            for row in self.rows("calibrated_sensor")
            if row["sensor_token"] in names
        }

    @cached_property
    def images_of_sample(self) -> Mapping[str, Sequence[Row]]:
        """The key frames of the cameras, by the token of the sample."""
        rows = self.rows("sample_data")
        return _grouped(
            (row for row in rows if row["is_key_frame"] and row["calibrated_sensor_token"] in self.cameras),
            "sample_token",
        )

    @cached_property
    def poses(self) -> Mapping[str, Row]:
        """The poses of the vehicle at the key frames of the cameras, by token."""
        wanted = {row["ego_pose_token"] for rows in self.images_of_sample.values() for row in rows}
        return {row["token"]: row for row in self.rows("ego_pose") if row["token"] in wanted}

    @cached_property
    def annotations_of_sample(self) -> Mapping[str, Sequence[Row]]:
        """By the token of the sample."""
        return _grouped(self.rows("sample_annotation"), "sample_token")

    @cached_property
    def annotations_of_instance(self) -> Mapping[str, Sequence[Row]]:
        """By the token of the instance, in the order of time."""
        found = _grouped((row for rows in self.annotations_of_sample.values() for row in rows), "instance_token")
        times = {token: int(row["timestamp"]) for token, row in self.samples.items()}
        return {token: sorted(rows, key=lambda row: times[row["sample_token"]]) for token, rows in found.items()}

    @cached_property
    def category_of_instance(self) -> Mapping[str, str]:
        """Its name, by the token of the instance."""
        names = {row["token"]: row["name"] for row in self.rows("category")}
        return {row["token"]: names[row["category_token"]] for row in self.rows("instance")}

    def rows(self, name: str) -> list[Row]:
        """All rows of a table, which are not kept."""
        path = self.folder / f"{name}.json"
        rows = read_json(path)
        if not isinstance(rows, list):
            raise UsageError(f"{path}: expected a list of rows; copy the table again.")
        return rows


def tables_folder(folder: Path) -> Path | None:
    """Where the tables of the data set in ``folder`` lie; None where it is none of nuScenes."""
    return next((path for path in sorted(folder.glob("v1.0-*")) if (path / "scene.json").is_file()), None)


def open_tables(folder: Path) -> Tables:
    """The tables of a data set in ``folder``; those that were asked for last are kept while their files stay."""
    tables = tables_folder(folder)
    assert tables is not None, "has_nuscenes was asked before"
    stamps = tuple(sorted((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in tables.glob("*.json")))
    return _kept(tables, stamps)


@lru_cache(maxsize=1)
def _kept(tables: Path, stamps: tuple[tuple[str, int, int], ...]) -> Tables:
    return Tables(tables)


def _grouped(rows: Any, key: str) -> dict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return dict(found)
