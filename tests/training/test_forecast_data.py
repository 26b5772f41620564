import numpy as np
import torch
from support.tracks import make_tracks

from perception.forecasting.jaad import JaadTracks
from perception.training.forecast_data import (
    IMAGE_GRID,
    from_jaad,
    from_recording,
    join,
    to_centre_size,
    to_corners,
    windows_at,
)
from perception.types import BoxTable

GRID_STEPS = np.array(IMAGE_GRID.steps)


def _jaad(lengths: tuple[int, ...] = (80, 70)) -> JaadTracks:
    rows = sum(lengths)
    left = np.arange(rows) * 2.0
    boxes = np.stack([left, np.full(rows, 100.0), left + 40, np.full(rows, 200.0)], axis=1)
    return JaadTracks(
        boxes,
        np.concatenate([[0], np.cumsum(lengths)]),
        np.arange(len(lengths)),
        np.tile([1920, 1080], (len(lengths), 1)),
    )


def test_centre_and_size_round_trip():
    boxes = np.array([[10.0, 20, 110, 220], [0, 0, 640, 360]])
    sizes = np.tile([640, 360], (2, 1))
    np.testing.assert_allclose(to_corners(to_centre_size(boxes, sizes), sizes), boxes)


def test_windows_hold_the_past_and_the_true_future():
    tracks = from_jaad(_jaad())
    ends = np.array([14, 94])  # each the 15th box of its track
    windows = windows_at(tracks, ends, length=5, stride=3)
    np.testing.assert_allclose(windows.observations[0, :, 0] * 1920, [24 + 6 * i for i in range(5)], rtol=1e-5)
    np.testing.assert_allclose(windows.dt_s[0], [0, 0.1, 0.1, 0.1, 0.1], atol=1e-6)
    np.testing.assert_allclose(windows.futures[0, :3, 0] * 1920, [50, 52, 54], rtol=1e-5)
    assert windows.known[0].tolist() == (GRID_STEPS < 80 - 14).tolist()
    assert windows.features is None


def test_windows_never_reach_over_the_ends_of_their_track():
    tracks = from_jaad(_jaad())
    ends = tracks.ends(15, 2)
    in_first = ends[ends < 80]
    assert in_first.min() == 28
    assert in_first.max() == 80 - 11  # more than a third of a second lies ahead
    assert ends[ends >= 80].min() == 80 + 28


def test_changing_the_future_leaves_every_observation_unchanged():
    jaad = _jaad()
    changed = JaadTracks(jaad.boxes_xyxy_px.copy(), jaad.starts, jaad.videos, jaad.sizes_px)
    changed.boxes_xyxy_px[15:] += 500
    before, after = (windows_at(from_jaad(j), np.array([14]), length=15, stride=1) for j in (jaad, changed))
    assert torch.equal(before.observations, after.observations)
    assert not torch.equal(before.futures, after.futures)


def _recording() -> tuple[BoxTable, dict[int, float], list]:
    """One car at 5 frames per second for 4 s; our tracker sees it from the second frame on, and a false alarm."""
    frames = np.arange(20)
    left = 100 + 10.0 * frames
    boxes = np.stack([left, np.full(20, 100.0), left + 64, np.full(20, 136.0)], axis=1)
    truth = BoxTable(frames, np.full(20, 3), np.zeros(20, int), np.ones(20), boxes, np.full(20, "front"))
    times = {int(i): 0.2 * i for i in frames}
    sizes = np.array([[640, 360]])
    observed = []
    for index in range(1, 20):
        box = to_centre_size(boxes[index : index + 1] + 2.0, sizes)
        alarm = np.array([[0.9, 0.9, 0.05, 0.05]])
        features = np.array([[1.0, index], [5.0, 5.0]], np.float32)
        observed.append(
            (times[index], make_tracks(np.concatenate([box, alarm]), np.array([11, 12]), features=features, space="s"))
        )
    return truth, times, observed


def test_tracked_pasts_get_the_futures_of_the_objects_they_overlap():
    truth, times, observed = _recording()
    tracks = from_recording(truth, times, (640, 360), observed)
    assert len(tracks.starts) == 3
    ends = tracks.ends(3, 1)
    assert (ends < 19).all()  # the false alarm has no future
    windows = windows_at(tracks, ends[:1], length=3, stride=1)
    last = 2 + 1  # its third observation is frame 3
    np.testing.assert_allclose(windows.observations[0, -1, 0] * 640, 100 + 10 * last + 32 + 2, rtol=1e-5)
    in_one_second = np.flatnonzero(GRID_STEPS == 30)[0]
    np.testing.assert_allclose(windows.futures[0, in_one_second, 0] * 640, 100 + 10 * (last + 5) + 32, rtol=1e-5)
    assert windows.features is not None
    assert windows.features[0, :, 1].tolist() == [1.0, 2.0, 3.0]


def test_rare_frames_teach_only_what_they_show():
    truth, times, observed = _recording()
    slow = truth[truth.frame_indices % 5 == 0]
    tracks = from_recording(slow, times, (640, 360), [o for o in observed if round(o[0] / 0.2) % 5 == 0])
    windows = windows_at(tracks, tracks.ends(1, 1)[:1], length=1, stride=1)
    known = GRID_STEPS[windows.known[0].numpy()]
    assert set(known.tolist()) == {30, 60}


def test_joined_sets_keep_their_own_futures():
    truth, times, observed = _recording()
    recording = from_recording(truth, times, (640, 360), observed)
    both = join([recording, recording])
    ends = recording.ends(3, 1)
    np.testing.assert_array_equal(both.ends(3, 1), np.concatenate([ends, ends + len(recording.observations)]))
    first = windows_at(both, ends, length=3, stride=1)
    second = windows_at(both, ends + len(recording.observations), length=3, stride=1)
    assert torch.equal(first.observations, second.observations)
    assert torch.equal(first.futures, second.futures)
    assert torch.equal(first.known, second.known)
