"""Tracks as pseudo-labels, and the filter that rejects doubtful ones."""

from __future__ import annotations

import numpy as np
import pytest
from support.moving_boxes import BoxDetector, true_boxes_xyxy_px, write_street, write_street_recording

from perception.errors import UsageError
from perception.forecasting.track_dataset import windows_at
from perception.training.forecaster.tracks.image_pseudo_labels import (
    REJECTION_REASONS,
    DetectedFrame,
    TrackFilter,
    detect_video,
    pseudo_label_video,
    videos_below,
)
from perception.types import Detections

SIZE_PX = (160, 96)


def _instants(boxes, *, scores=None, fps=10):
    """One object: ``boxes`` (n, 4), NaN where it is not detected."""
    instants = []
    for number, box in enumerate(np.asarray(boxes, np.float64)):
        is_seen = not np.isnan(box).any()
        found = Detections(
            boxes_xyxy_px=box[None].astype(np.float32) if is_seen else np.zeros((0, 4), np.float32),
            scores=np.full(int(is_seen), 0.9 if scores is None else scores[number], np.float32),
            labels=np.ones(int(is_seen), int),
            features=np.zeros((int(is_seen), 0), np.float32),
            camera="front",
            image_size_px=SIZE_PX,
        )
        instants.append(DetectedFrame(number, round(1e9 * number / fps), found, SIZE_PX))
    return instants


def _way(count: int, *, step: float = 2.0) -> np.ndarray:
    x = 10 + step * np.arange(count)[:, None]
    return np.concatenate([x, np.full_like(x, 20), x + 24, np.full_like(x, 44)], axis=1)


def _reason(instants, track_filter=None) -> str | None:
    result = pseudo_label_video(instants, track_filter or TrackFilter())
    reasons = [reason for reason, count in result.rejected.items() if count]
    return reasons[0] if reasons else None


def test_a_steady_track_teaches_where_it_went():
    result = pseudo_label_video(_instants(_way(30)), TrackFilter())
    assert (result.accepted, sum(result.rejected.values())) == (1, 0)
    assert result.seconds == pytest.approx(2.9)
    assert result.tracks is not None
    ends = result.tracks.ends(3, 1)
    windows = windows_at(result.tracks, ends[:1], length=3)
    second = 30 // 1 - 1 - 0  # the grid's 30th step is one second ahead
    moved_px = (windows.futures[0, second, 0] - windows.observations[0, -1, 0]) * SIZE_PX[0]
    assert moved_px == pytest.approx(20, abs=2)


def test_each_reason_drops_its_track():
    assert list(REJECTION_REASONS) == list(pseudo_label_video(_instants(_way(4)), TrackFilter()).rejected)
    assert _reason(_instants(_way(10))) == "short"
    assert _reason(_instants(_way(30), scores=np.full(30, 0.45)), TrackFilter(min_score=0.5)) == "low_score"
    cut = _way(30)
    cut[:, [0, 2]] = [0.0, 24.0]
    assert _reason(_instants(cut)) == "truncated"


def test_a_track_that_is_often_unseen_or_jumps_is_reason():
    blinking = _way(30)
    blinking[4:29:2] = np.nan
    assert _reason(_instants(blinking), TrackFilter(min_seen_share=0.8)) == "low_coverage"
    jumping = _way(30)
    jumping[15:] += [7, 0, 7, 0]
    assert _reason(_instants(jumping), TrackFilter(max_jump=0.2)) == "discontinuous"
    assert _reason(_instants(jumping), TrackFilter(max_jump=5.0)) is None


def test_nothing_left_is_no_tracks():
    result = pseudo_label_video(_instants(_way(5)), TrackFilter())
    assert result.tracks is None
    assert result.accepted == 0


def test_watching_never_opens_the_truth(tmp_path):
    folder = write_street_recording(tmp_path / "drive", frames=6)
    (folder / "objects.csv").write_text("this is no table of objects")
    seen = list(detect_video(folder, BoxDetector()))
    assert [instant.index for instant in seen] == list(range(6))
    assert len(seen[0].detections) == len(true_boxes_xyxy_px(0))


def test_videos_are_found_and_a_folder_without_any_is_named(tmp_path):
    write_street(tmp_path / "b.mp4", frames=2)
    write_street_recording(tmp_path / "a", frames=2)
    (tmp_path / "notes.txt").write_text("x")
    assert [path.name for path in videos_below(tmp_path)] == ["a", "b.mp4"]
    assert videos_below(tmp_path / "a") == [tmp_path / "a"]
    assert videos_below(tmp_path / "b.mp4") == [tmp_path / "b.mp4"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match="empty"):
        videos_below(empty)
    with pytest.raises(UsageError, match="nowhere"):
        videos_below(tmp_path / "nowhere")
