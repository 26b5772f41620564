"""What the truth of a simulated drive tells about tracked objects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.ground_tracks import synthetic_drive

from perception.errors import UsageError
from perception.forecasting.track_dataset import TrackSet
from perception.taxonomy import CLASSES
from perception.training.experiments.oracle_features import ORACLE_FEATURES, oracle_features
from perception.training.forecaster.tracks.ground_tracks import from_drive
from perception.types import ObjectTable

BRAKE, LEFT, RIGHT = (ORACLE_FEATURES.index(name) for name in ("brake", "left", "right"))


@pytest.fixture(scope="module")
def objects_and_tracks() -> tuple[ObjectTable, TrackSet]:
    objects, observed = synthetic_drive(np.random.default_rng(0))
    return objects, from_drive(objects, observed)


def _write(folder: Path, objects: ObjectTable, *, lamps: bool = True) -> Path:
    """``objects3d.csv`` where even ids brake, and indicate left where they are a multiple of 3, else right."""
    names = "timestamp_ns,id,class,x,y,z,length,width,height,yaw,speed_mps" + (",brake,indicator" if lamps else "")
    lines = [names]
    for row in range(len(objects)):
        one = int(objects.ids[row])
        shown = f",{int(one % 2 == 0)},{'left' if one % 3 == 0 else 'right'}" if lamps else ""
        x, y, z = objects.centres_m[row]
        lines.append(
            f"{objects.timestamps_ns[row]},{one},{CLASSES[objects.labels[row]]},{x},{y},{z},4,2,1.5,"
            f"{objects.yaws_rad[row]},{objects.speeds_mps[row]}{shown}"
        )
    (folder / "objects3d.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_each_row_has_the_features_of_its_own_object(objects_and_tracks, tmp_path):
    objects, tracks = objects_and_tracks
    oracle = oracle_features(tracks, _write(tmp_path, objects))
    matched = tracks.truth_rows >= 0
    assert matched.mean() > 0.5 and not oracle[~matched].any()
    known = oracle[matched]
    times_ns = np.round(tracks.times_s * 1e9).astype(int) + objects.timestamps_ns.min()
    for row in np.flatnonzero(matched)[::97]:
        now = np.flatnonzero(np.abs(objects.timestamps_ns - times_ns[row]) < 1e6)
        away_m = np.linalg.norm(objects.centres_m[now, :2] - tracks.truth[tracks.truth_rows[row]], axis=1)
        one = int(objects.ids[now[away_m.argmin()]])
        assert oracle[row, [BRAKE, LEFT, RIGHT]].tolist() == [one % 2 == 0, one % 3 == 0, one % 3 != 0]
    np.testing.assert_allclose(np.linalg.norm(known[:, 3:], axis=1), 1, atol=1e-5)


def test_the_angle_is_that_between_line_of_sight_and_heading(objects_and_tracks, tmp_path):
    objects, tracks = objects_and_tracks
    here = oracle_features(tracks, _write(tmp_path, objects))
    turned = replace(objects, yaws_rad=objects.yaws_rad + np.pi / 2)
    there = oracle_features(tracks, _write(tmp_path, turned))
    matched = tracks.truth_rows >= 0
    np.testing.assert_allclose(there[matched, 3], -here[matched, 4], atol=1e-5)
    np.testing.assert_allclose(there[matched, 4], here[matched, 3], atol=1e-5)


def test_a_drive_without_lamps_or_of_other_objects_is_refused(objects_and_tracks, tmp_path):
    objects, tracks = objects_and_tracks
    with pytest.raises(UsageError, match="brake"):
        oracle_features(tracks, _write(tmp_path, objects, lamps=False))
    elsewhere = replace(objects, centres_m=objects.centres_m + np.array([50.0, 0, 0]))
    with pytest.raises(UsageError, match="does not hold the objects"):
        oracle_features(tracks, _write(tmp_path, elsewhere))
