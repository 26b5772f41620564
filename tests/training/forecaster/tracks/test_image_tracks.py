import numpy as np
import torch
from support.tracks import make_tracks

from perception.forecasting.track_dataset import IMAGE_GRID, join, windows_at
from perception.geometry.boxes import normalized_cxcywh
from perception.training.forecaster.tracks.image_tracks import ObservedImage, from_recording
from perception.types import BoxTable

GRID_STEPS = np.array(IMAGE_GRID.steps)


def _recording() -> tuple[BoxTable, dict[int, float], list]:
    """One car at 5 frames per second for 4 s; our tracker sees it from the second frame on, and a false positive."""
    frames = np.arange(20)
    left = 100 + 10.0 * frames
    boxes = np.stack([left, np.full(20, 100.0), left + 64, np.full(20, 136.0)], axis=1)
    truth = BoxTable(
        frame_indices=frames,
        ids=np.full(20, 3),
        labels=np.zeros(20, int),
        scores=np.ones(20),
        boxes_xyxy_px=boxes,
        cameras=np.full(20, "front"),
    )
    times = {int(i): 0.2 * i for i in frames}
    sizes = np.array([[640, 360]])
    observed = []
    for index in range(1, 20):
        box = normalized_cxcywh(boxes[index : index + 1] + 2.0, sizes)
        alarm = np.array([[0.9, 0.9, 0.05, 0.05]])
        features = np.array([[1.0, index], [5.0, 5.0]], np.float32)
        observed.append(
            ObservedImage(
                times[index],
                make_tracks(np.concatenate([box, alarm]), np.array([11, 12]), features=features, space="s"),
            )
        )
    return truth, times, observed


def test_tracked_pasts_get_the_futures_of_the_objects_they_overlap():
    truth, times, observed = _recording()
    tracks = from_recording(truth, times, (640, 360), observed)
    assert len(tracks.starts) == 3
    ends = tracks.ends(3, 1)
    assert (ends < 19).all()  # the false positive has no future
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
    tracks = from_recording(slow, times, (640, 360), [o for o in observed if round(o.time_s / 0.2) % 5 == 0])
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
