"""Counts in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.evaluation_tables import disturbed, random_table

from perception.errors import UsageError
from perception.evaluation.detection.average_precision import count_detection, detection_report
from perception.runtime.fleet.archive import StoredArray, load_tree, save_tree


def test_counts_survive_the_way_through_a_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = random_table(rng, frames=200, objects=20, labels=(0, 5))
    counts = count_detection(truth=truth, detections=disturbed(rng, truth, jitter_px=4.0, extra=300))
    save_tree(tmp_path / "counts.safetensors", counts)
    loaded = load_tree(tmp_path / "counts.safetensors")
    assert isinstance(loaded.classes["car"].ranked.scores, StoredArray)
    assert detection_report([loaded, counts]) == detection_report([counts, counts])
    save_tree(tmp_path / "again.safetensors", loaded)
    assert detection_report([load_tree(tmp_path / "again.safetensors")]) == detection_report([counts])


def test_plain_values_survive_too(tmp_path: Path) -> None:
    path = tmp_path / "counts.safetensors"
    value = {"none": None, "yes": True, "list": (1, -2.5, 0.1 + 0.2, float("inf")), "text": "ü", "deep": {"a": ()}}
    save_tree(path, value)
    assert load_tree(path) == value
    save_tree(path, float("nan"))
    assert np.isnan(load_tree(path))


@pytest.mark.parametrize("at", [8, 60, -5])
def test_any_damage_is_found(tmp_path: Path, at: int) -> None:
    path = tmp_path / "counts.safetensors"
    save_tree(path, (1.5, "two", None, {"three": np.arange(3000.0)}))
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is damaged"):
        load_tree(path)
    path.write_bytes(content[:100])
    with pytest.raises(UsageError, match="is damaged"):
        load_tree(path)


def test_a_file_makes_nothing_but_counts(tmp_path: Path) -> None:
    for tree in ('{"class": "os:system", "fields": {}}', '{"class": "perception.files:sha256", "fields": {"path": 1}}'):
        import hashlib

        metadata = {"tree": tree, "sha256": hashlib.sha256(tree.encode()).hexdigest()}
        save_file({}, tmp_path / "other.safetensors", metadata=metadata)
        with pytest.raises(UsageError, match="no dataclass of this package"):
            load_tree(tmp_path / "other.safetensors")
    with pytest.raises(TypeError, match="plain values"):
        save_tree(tmp_path / "none.safetensors", {1, 2})
