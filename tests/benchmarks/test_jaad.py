from pathlib import Path

import numpy as np
import pytest

from perception.errors import UsageError
from perception.evaluation.benchmarks import evaluate_jaad_constant_velocity, jaad_report
from perception.forecasting import GruConfig, TrajectoryGRU
from perception.forecasting.jaad import constant_velocity_kalman, jaad_errors, read_jaad


def _write(path: Path, *, lengths: list[int], pids: list[str], videos: list[int]) -> Path:
    rows = sum(lengths)
    frame = np.concatenate([np.arange(n) for n in lengths])
    box = np.stack([100 + 2 * frame, np.full(rows, 50), 140 + 2 * frame, np.full(rows, 150)], axis=1)
    np.savez(
        path,
        split_default=np.array([0, 2], np.uint8),
        width=np.full(2, 1920, np.int16),
        height=np.full(2, 1080, np.int16),
        offset=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        track_pid=np.array(pids),
        track_video=np.array(videos, np.int16),
        box=box.astype(np.int16),
    )
    return path


def test_the_protocol_leaves_out_groups_and_short_tracks_and_orders_pedestrians(tmp_path):
    path = _write(tmp_path / "j.npz", lengths=[61, 70, 60, 67], pids=["b", "p1", "c", "a"], videos=[1, 1, 1, 1])
    jaad = read_jaad(path, "test")
    assert np.diff(jaad.starts).tolist() == [67, 61]
    firsts, tracks = jaad.windows(7)
    assert firsts.tolist() == [0, 7, 67]
    assert tracks.tolist() == [0, 0, 1]


def test_errors_are_squared_pixels_over_coordinates_and_frames():
    actual = np.zeros((1, 45, 4))
    predicted = actual.copy()
    predicted[0, 44] = [3, 4, 3, 4]
    errors = jaad_errors(predicted, actual).means()
    assert errors["mse_0_5_s"] == errors["mse_1_0_s"] == 0
    assert errors["mse_1_5_s"] == pytest.approx(12.5 / 45)
    assert errors["final_centre_mse"] == pytest.approx(12.5)
    assert errors["centre_mse"] == pytest.approx(12.5 / 45)


def test_kalman_baseline_continues_a_straight_line():
    line = np.arange(400)[:, None] * np.array([1.0, -2.0, 0.5, 0.0])
    future = constant_velocity_kalman(line[None, :300], 45)
    np.testing.assert_allclose(future[0], line[300:345], atol=1e-3)


def test_the_report_compares_on_the_same_windows(tmp_path):
    path = _write(tmp_path / "j.npz", lengths=[80, 90], pids=["a", "b"], videos=[1, 1])
    report = jaad_report(TrajectoryGRU(GruConfig()), read_jaad(path, "test"), rng=np.random.default_rng(0), samples=50)
    assert report.videos == 1
    assert report.windows == 3 + 5
    assert report.ratio["mse_1_5_s"] == pytest.approx(report.model["mse_1_5_s"] / report.constant_velocity["mse_1_5_s"])
    low, high = report.ratio_interval["mse_1_5_s"]
    assert low == pytest.approx(high)  # one video cannot vary


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_an_unreadable_file_is_named(tmp_path, content):
    path = tmp_path / "jaad.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"jaad\.npz"):
        read_jaad(path, "test")


def test_a_missing_column_is_named(tmp_path):
    path = tmp_path / "jaad.npz"
    np.savez(path, box=np.zeros((1, 4)))
    with pytest.raises(UsageError, match="split_default"):
        read_jaad(path, "test")


@pytest.mark.shared
def test_loader_check_reproduces_the_published_baseline(shared_dir):
    """Constant velocity, test split, windows every 2 boxes: 223 / 857 / 2304, C 1565, CF 6111."""
    path = shared_dir / "benchmarks" / "jaad_tracks.npz"
    counts = {split: len(read_jaad(path, split).windows(7)[0]) for split in ("train", "val", "test")}
    assert counts == {"train": 16_991, "val": 2_815, "test": 13_624}
    errors = evaluate_jaad_constant_velocity(read_jaad(path, "test"), stride=2).means()
    assert {name: round(value) for name, value in errors.items()} == {
        "mse_0_5_s": 223,
        "mse_1_0_s": 857,
        "mse_1_5_s": 2304,
        "centre_mse": 1565,
        "final_centre_mse": 6111,
    }
