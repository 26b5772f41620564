from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from perception.benchmarks import JAAD, kalman
from perception.benchmarks.jaad import JaadTracks, from_jaad, protocol, read_jaad, squared_errors
from perception.benchmarks.split import Predicted
from perception.errors import UsageError
from perception.forecasting.features.image_motion import OBSERVATION_SIZE
from perception.forecasting.track_dataset import IMAGE_GRID, windows_at

GRID_STEPS = np.array(IMAGE_GRID.steps)


def _write(path: Path, *, lengths: list[int], pids: list[str], videos: list[int]) -> Path:
    rows = sum(lengths)
    frame = np.concatenate([np.arange(n) for n in lengths])
    box = np.stack([100 + 2 * frame, np.full(rows, 50), 140 + 2 * frame, np.full(rows, 150)], axis=1)
    np.savez(
        path,
        split_default=np.array([0, 2], np.uint8),
        width=np.array([1920, 640], np.int16),
        height=np.array([1080, 360], np.int16),
        offset=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        track_pid=np.array(pids),
        track_video=np.array(videos, np.int16),
        frame=frame.astype(np.int16),
        box=box.astype(np.int16),
    )
    return path


def _jaad(lengths: tuple[int, ...] = (80, 70), videos: tuple[int, ...] = (0, 1)) -> JaadTracks:
    rows = sum(lengths)
    left = np.arange(rows) * 2.0
    return JaadTracks(
        boxes_xyxy_px=np.stack([left, np.full(rows, 100.0), left + 40, np.full(rows, 200.0)], axis=1),
        frames=np.concatenate([np.arange(n) for n in lengths]),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        videos=np.array(videos),
        sizes_px=np.tile([1920, 1080], (len(lengths), 1)),
    )


def test_the_protocol_leaves_out_groups_and_short_tracks_and_orders_pedestrians(tmp_path):
    path = _write(tmp_path / "j.npz", lengths=[61, 70, 60, 67], pids=["b", "p1", "c", "a"], videos=[1, 1, 1, 1])
    jaad = read_jaad(path, "test")
    assert np.diff(jaad.starts).tolist() == [67, 61]
    firsts, tracks = jaad.windows(7)
    assert firsts.tolist() == [0, 7, 67]
    assert tracks.tolist() == [0, 0, 1]


def test_a_split_has_its_own_videos_and_targets_in_their_pixels(tmp_path):
    path = _write(tmp_path / "j.npz", lengths=[61, 80, 67], pids=["a", "b", "c"], videos=[0, 1, 0])
    split = JAAD.read(path, "test", "")
    assert len(split) == 3
    assert set(split.groups) == {1}
    assert split.history == 15
    # The first window sees boxes 0 to 14; a box is 40 x 100 px, and 2 px to the right in each frame.
    centre_size = split.futures(45)[0]
    np.testing.assert_allclose(centre_size[0], [120 + 2 * 15, 100, 40, 100])
    np.testing.assert_allclose(centre_size[44], [120 + 2 * 59, 100, 40, 100])
    assert len(JAAD.read(path, "train", "")) == 1 + 2


def test_windows_hold_the_past_and_the_true_future():
    tracks = from_jaad(_jaad())
    windows = windows_at(tracks, np.array([14, 94]), length=5, stride=3)  # each the 15th box of its track
    assert windows.observations.shape == (2, 5, OBSERVATION_SIZE)
    np.testing.assert_allclose(windows.observations[0, :, 0] * 1920, [24 + 6 * i for i in range(5)], rtol=1e-5)
    assert torch.all(windows.observations[..., 4:] == 0)  # boxes that are exact
    np.testing.assert_allclose(windows.dt_s[0], [0, 0.1, 0.1, 0.1, 0.1], atol=1e-6)
    np.testing.assert_allclose(windows.futures[0, :3, 0] * 1920, [50, 52, 54], rtol=1e-5)
    assert windows.known[0].tolist() == (GRID_STEPS < 80 - 14).tolist()
    assert windows.features is None


def test_windows_never_reach_over_the_ends_of_their_track():
    ends = from_jaad(_jaad()).ends(15, 2)
    in_first = ends[ends < 80]
    assert in_first.min() == 28
    assert in_first.max() == 80 - 11  # more than a third of a second lies ahead
    assert ends[ends >= 80].min() == 80 + 28


def test_changing_the_future_leaves_every_input_unchanged():
    jaad = _jaad(videos=(0, 0))
    changed = replace(jaad, boxes_xyxy_px=jaad.boxes_xyxy_px.copy())
    changed.boxes_xyxy_px[jaad.frames >= 15] += 500
    before, after = (windows_at(from_jaad(j), np.array([14, 94]), length=15, neighbours=2) for j in (jaad, changed))
    for name in ("observations", "dt_s", "unseen_s", "labels", "lengths", "neighbours"):
        assert torch.equal(getattr(before, name), getattr(after, name)), name
    assert not torch.equal(before.futures, after.futures)


def test_pedestrians_of_the_same_frame_of_the_same_video_see_one_another():
    tracks = from_jaad(_jaad((80, 70, 90), (3, 3, 5)))
    assert tracks.neighbours_of(np.array([10, 90, 75, 155]), 1).tolist() == [[90], [10], [-1], [-1]]


def test_errors_are_squared_pixels_over_coordinates_and_frames():
    actual = np.zeros((1, 45, 4))
    predicted = actual.copy()
    predicted[0, 44] = [3, 4, 0, 0]  # the centre is off, and so are both corners
    errors = {name: float(values[0]) for name, values in squared_errors(predicted, actual).items()}
    assert errors["MSE 0.5 s"] == errors["MSE 1.0 s"] == 0
    assert errors["MSE 1.5 s"] == pytest.approx(12.5 / 45)
    assert errors["CF_MSE"] == pytest.approx(12.5)
    assert errors["C_MSE"] == pytest.approx(12.5 / 45)
    predicted[0] = [0, 0, 2, 0]  # wider by two pixels: x1 and x2 are off by one
    errors = {name: float(values[0]) for name, values in squared_errors(predicted, actual).items()}
    assert errors["MSE 0.5 s"] == errors["MSE 1.0 s"] == errors["MSE 1.5 s"] == pytest.approx(0.5)
    assert errors["C_MSE"] == errors["CF_MSE"] == 0


def test_the_best_of_the_futures_is_taken_for_each_figure_by_itself():
    actual = np.zeros((1, 45, 4))
    means = np.zeros((1, 2, 45, 4))
    means[0, 0, :15, :2], means[0, 0, 15:, :2] = 1.0, 10.0  # good at first
    means[0, 1, :15, :2], means[0, 1, 15:, :2] = 4.0, 2.0  # good at last
    errors = JAAD.errors(Predicted(np.array([[0.25, 0.75]]), means), actual)
    figures = {name: float(values[0]) for name, values in errors.items()}
    assert figures["best MSE 0.5 s"] == pytest.approx(1.0)
    assert figures["best CF_MSE"] == pytest.approx(4.0)
    assert figures["best MSE 1.5 s"] == pytest.approx((16 + 2 * 4) / 3)
    # The one output is the mean over the futures.
    assert figures["MSE 0.5 s"] == pytest.approx((0.25 * 1 + 0.75 * 4) ** 2)
    assert figures["CF_MSE"] == pytest.approx((0.25 * 10 + 0.75 * 2) ** 2)


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
    """A Kalman filter, test split, windows every 2 boxes: 223 / 857 / 2304, C 1565, CF 6111."""
    path = shared_dir / "benchmarks" / "jaad_tracks.npz"
    counts = {split: len(JAAD.read(path, split, "")) for split in ("train", "val", "test")}
    assert counts == {"train": 16_991, "val": 2_815, "test": 13_624}
    split = protocol(read_jaad(path, "test"), stride=2)
    assert len(split) == 46_798
    errors = JAAD.errors(kalman(split, JAAD.steps), split.futures(JAAD.steps))
    assert {name: round(float(values.mean())) for name, values in errors.items() if "best" not in name} == {
        "MSE 0.5 s": 223,
        "MSE 1.0 s": 857,
        "MSE 1.5 s": 2304,
        "C_MSE": 1565,
        "CF_MSE": 6111,
    }
