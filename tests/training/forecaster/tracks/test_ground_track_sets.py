from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.ground_tracks import make_ground_tracks, pose, synthetic_drive

from perception.forecasting.features.ground_motion import CAR_IS_KNOWN, CAR_XY, XY
from perception.forecasting.track_dataset import GROUND_GRID, join, windows_at
from perception.training.forecaster.tracks.ground_tracks import from_drive, true_objects
from perception.types import ObjectTable, Tracks


def _truth(positions_m: np.ndarray, times_s: np.ndarray, labels: np.ndarray, *, start_ns: int = 0) -> ObjectTable:
    """Objects 40, 41 ... at positions (T, N, 2)."""
    count, steps = positions_m.shape[1], len(times_s)
    return ObjectTable(
        timestamps_ns=np.repeat(np.round(times_s * 1e9).astype(np.int64) + start_ns, count),
        ids=np.tile(40 + np.arange(count), steps),
        labels=np.tile(labels, steps),
        scores=np.ones(count * steps),
        centres_m=np.concatenate([positions_m.reshape(-1, 2), np.ones((count * steps, 1))], axis=1),
        sizes_lwh_m=np.ones((count * steps, 3)),
        yaws_rad=np.zeros(count * steps),
        speeds_mps=np.zeros(count * steps),
    )


def _passing(times_s: np.ndarray) -> np.ndarray:
    """(T, 2, 2): one object drives east at 5 m/s, one north at 2 m/s."""
    return np.stack([np.array([[5.0, 0], [0, 2]])[i] * times_s[:, None] + [[3.0, 1], [-9, 2]][i] for i in (0, 1)], 1)


@pytest.fixture
def drive() -> tuple[ObjectTable, list]:
    """6 s at 10 per second; tracks 7 and 8 lie half a metre beside their objects, track 9 is nothing."""
    times_s = np.arange(61) / 10
    positions_m = _passing(times_s)
    start_ns = 1_700_000_000 * 10**9
    observed = []
    for time_s, now in zip(times_s, positions_m, strict=True):
        seen = np.concatenate([now + np.array([0.5, 0.0]), [[50.0, 50.0]]])
        tracks = make_ground_tracks(seen, [7, 8, 9], features=np.full((3, 2), time_s, np.float32), space="s")
        observed.append((start_ns + round(time_s * 1e9), tracks, pose(time_s)))
    return _truth(positions_m, times_s, np.array([0, 1]), start_ns=start_ns), observed


def test_pasts_are_what_was_tracked_and_futures_are_true(drive):
    tracks = from_drive(*drive)
    ends = tracks.ends(3, 1)
    first = windows_at(tracks, ends[:1], length=3, stride=1)
    assert first.observations.shape == (1, 3, 14)
    np.testing.assert_allclose(first.observations[0, -1, XY], [3.5 + 5 * 0.2, 1.0], atol=1e-5)
    np.testing.assert_allclose(first.observations[0, -1, CAR_XY], [0.2, 0.0], atol=1e-6)
    assert first.observations[0, -1, CAR_IS_KNOWN] == 1
    np.testing.assert_allclose(first.futures[0, :, 0], 3 + 5 * (0.2 + GROUND_GRID.times_s), atol=1e-5)
    np.testing.assert_allclose(first.features[0, :, 0], [0.0, 0.1, 0.2], atol=1e-6)
    assert first.known.all()


def test_the_end_of_the_truth_ends_what_is_known(drive):
    tracks = from_drive(*drive)
    ends = tracks.ends(1, 1)
    windows = windows_at(tracks, ends, length=1, stride=1)
    ahead = (60 - np.round(tracks.times_s[ends] * 10)).astype(int)
    np.testing.assert_array_equal(windows.known.sum(dim=1).numpy(), 1 + np.minimum(ahead, 40))
    assert ahead.min() == 3  # less than a third of a second teaches nothing


def test_a_track_of_nothing_has_no_future(drive):
    tracks = from_drive(*drive)
    assert len(tracks.starts) == 4
    assert tracks.ends(1, 1).max() < tracks.starts[2]


@pytest.mark.parametrize(
    ("apart_m", "label", "found"), [(1.9, 0, 40), (2.1, 0, -1), (1.9, 2, 40), (0.1, 5, -1), (0.1, 4, -1)]
)
def test_a_near_track_takes_the_nearest_object_of_its_group(apart_m, label, found):
    truth = _truth(np.array([[[5.0, 0], [5.0, 9.0]]]), np.zeros(1), np.array([1, 0]))
    tracks = make_ground_tracks(np.array([[5.0, -apart_m]]), [1], labels=np.array([label]))
    assert true_objects(tracks, truth, np.zeros(2)).tolist() == [found]


def test_far_from_the_car_the_gate_is_wider():
    truth = _truth(np.array([[[100.0, 0]]]), np.zeros(1), np.array([0]))
    track = make_ground_tracks(np.array([[112.0, 0.0]]), [1])
    assert true_objects(track, truth, np.zeros(2)).tolist() == [40]
    assert true_objects(track, truth, np.array([90.0, 0.0])).tolist() == [-1]
    assert true_objects(track, truth[np.zeros(1, bool)], np.zeros(2)).tolist() == [-1]


def test_rare_truth_is_interpolated_and_long_gaps_are_unknown():
    times_s = np.array([0.0, 0.5, 1.0, 3.0, 3.5])
    truth = _truth(_passing(times_s), times_s, np.array([0, 1]))
    tracks = from_drive(truth, [(0, make_ground_tracks(np.array([[3.0, 1.0]]), [7]), pose())])
    (window,) = (windows_at(tracks, tracks.ends(1, 1), length=1, stride=1),)
    known = np.round(GROUND_GRID.times_s[window.known[0].numpy()] * 10).astype(int).tolist()
    assert known == [*range(11), *range(30, 36)]
    np.testing.assert_allclose(window.futures[0, 7, 0], 3 + 5 * 0.7, atol=1e-5)


def test_an_unknown_pose_is_kept_as_unknown(drive):
    truth, observed = drive
    tracks = from_drive(truth, [(timestamp, found, None) for timestamp, found, _ in observed])
    assert np.all(tracks.observations[:, CAR_XY.start :] == 0)


def test_nothing_tracked_is_an_empty_set(drive):
    truth, observed = drive
    nothing = from_drive(truth, [(timestamp, Tracks.empty(), car) for timestamp, _, car in observed])
    assert len(nothing.ends(1, 1)) == 0
    both = join([nothing, from_drive(*drive)])
    assert len(both.ends(1, 1)) == len(from_drive(*drive).ends(1, 1))


def test_sets_without_features_join_those_with_features(drive):
    truth, observed = drive
    plain = [(t, replace(found, features=np.zeros((len(found), 0), np.float32)), car) for t, found, car in observed]
    both = join([from_drive(truth, plain), from_drive(*drive)])
    assert both.feature_size == 2
    count = len(both.observations) // 2
    assert np.all(both.features[:count] == 0)
    assert both.features[count:].max() == 6.0


def test_windows_can_be_moved_to_a_device(drive):
    tracks = from_drive(*drive)
    windows = windows_at(tracks, tracks.ends(1, 1), length=1, stride=1)
    assert windows.to(torch.device("meta")).observations.device.type == "meta"
    assert replace(windows, features=None).to(torch.device("cpu")).features is None


def test_a_synthetic_drive_is_tracked_near_its_truth():
    truth, observed = synthetic_drive(np.random.default_rng(0), objects=6, duration_s=8.0)
    tracks = from_drive(truth, observed)
    assert (tracks.truth_rows >= 0).mean() > 0.9
    late = tracks.times_s > 2
    now = tracks.truth[np.clip(tracks.truth_rows, 0, None)]
    apart_m = np.linalg.norm(tracks.observations[:, XY] - now, axis=1)[late & (tracks.truth_rows >= 0)]
    assert 0.05 < np.median(apart_m) < 0.6
