"""Which cameras are looked at, and what becomes of the others meanwhile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.moving_boxes import BoxDetector, box_pipeline, street_image, true_boxes_xyxy_px, write_street_recording

from perception.evaluation.core.run_tables import RunRecorder
from perception.forecasting.baselines import ConstantVelocityForecaster
from perception.pipeline.pipeline import Pipeline
from perception.pipeline.schedule import DetectionSchedule
from perception.results import ResultWriter, read_results
from perception.runtime.evaluate import evaluate_pipeline
from perception.tracking import ImageTracker, TrackerSettings
from perception.types import Frame, FrameSet

SIX = ("front", "front_left", "front_right", "rear", "rear_left", "rear_right")


def frames_of(number: int, cameras: tuple[str, ...] = SIX) -> tuple[Frame, ...]:
    return tuple(Frame(street_image(number), camera, number * 100_000_000, number) for camera in cameras)


def looked_at(schedule: DetectionSchedule, instants: int, cameras: tuple[str, ...] = SIX) -> list[list[str]]:
    return [[frame.camera for frame in schedule.choose(frames_of(n, cameras))] for n in range(instants)]


def interval_pipeline(interval: int) -> Pipeline:
    tracker = ImageTracker(TrackerSettings(detect_interval=interval))
    return Pipeline(BoxDetector(), tracker, ConstantVelocityForecaster(), DetectionSchedule(interval))


def test_all_cameras_are_looked_at_by_default() -> None:
    assert looked_at(DetectionSchedule(), 3) == [list(SIX)] * 3


@pytest.mark.parametrize("interval", [2, 3, 4, 6])
def test_first_all_cameras_then_each_at_every_nth_instant_in_turn(interval: int) -> None:
    chosen = looked_at(DetectionSchedule(interval), 1 + 5 * interval)
    assert chosen[0] == list(SIX)
    for camera in SIX:
        at = [number for number, names in enumerate(chosen) if camera in names][1:]
        assert at[0] <= interval
        assert set(np.diff(at)) == {interval}
    counts = [len(names) for names in chosen[1:]]
    assert max(counts) - min(counts) <= 1


def test_a_camera_that_comes_later_or_was_away_is_looked_at() -> None:
    schedule = DetectionSchedule(3)
    looked_at(schedule, 5, ("front",))
    assert "rear" in looked_at(schedule, 1, ("front", "rear"))[0]
    schedule.reset()
    assert looked_at(schedule, 1, ("front", "rear")) == [["front", "rear"]]


def test_less_than_every_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="one or more"):
        DetectionSchedule(0)


def test_boxes_move_on_where_the_detector_does_not_look() -> None:
    pipeline, looks = interval_pipeline(3), 0
    for number in range(12):
        frame_set = FrameSet(frames_of(number, ("front",)), number * 100_000_000, number)
        scene = pipeline.step(frame_set)
        looks += len(scene.detections)
        assert scene.tracks.ids.tolist() == [1, 2]
        assert scene.tracks.is_seen.all()
        assert (scene.tracks.lost_s == 0).all()
        assert (scene.tracks.unseen_s > 0).all() == (not scene.detections)
        assert len(scene.forecasts) == 2
        if number >= 5:
            np.testing.assert_allclose(scene.tracks.boxes_xyxy_px, true_boxes_xyxy_px(number), atol=1.5)
    assert looks == 5  # instants 0, 1, 4, 7, 10


def test_what_a_look_does_not_find_is_lost_until_it_is_found_again() -> None:
    tracker, detector = ImageTracker(TrackerSettings(detect_interval=2)), BoxDetector()
    for number in (0, 2):
        tracks = tracker.update(detector.detect(frames_of(number, ("front",))), number * 100_000_000)
        assert tracker.update([], (number + 1) * 100_000_000).is_seen.tolist() == [True, True]
    empty = Frame(np.zeros_like(street_image(0)), "front", 400_000_000, 4)
    tracks = tracker.update(detector.detect([empty]), 400_000_000)
    assert tracks.ids.tolist() == [1, 2]
    assert tracks.is_seen.tolist() == [False, False]
    np.testing.assert_allclose(tracks.lost_s, 0.2)
    # It was looked at at the last instant and found nothing: that is no reason to wait.
    assert not tracker.update([], 500_000_000).is_seen.any()


def test_a_camera_that_is_away_for_longer_than_its_turn_has_lost_its_tracks() -> None:
    tracker, detector = ImageTracker(TrackerSettings(detect_interval=3)), BoxDetector()
    tracker.update(detector.detect(frames_of(0, ("front",))), 0)
    seen = [tracker.update([], number * 100_000_000).is_seen.tolist() for number in (1, 2, 3)]
    assert seen == [[True, True], [True, True], [False, False]]


def test_where_frames_come_slowly_tracks_last_until_the_next_look() -> None:
    tracker, detector = ImageTracker(TrackerSettings(detect_interval=3)), BoxDetector()
    for second in range(0, 4, 3):
        ids = tracker.update(detector.detect(frames_of(second, ("front",))), second * 300_000_000).ids.tolist()
        later = [tracker.update([], (second + more) * 300_000_000).ids.tolist() for more in (1, 2)]
        assert later == [ids, ids]
        assert ids[:2] == [1, 2]


def test_detection_is_measured_where_the_detector_looked(tmp_path: Path) -> None:
    recording = write_street_recording(tmp_path / "street")
    report = evaluate_pipeline(interval_pipeline(3), recording)
    (vehicles,) = (part for part in report.detection if part.grouping == "vehicles")
    assert vehicles.overall.ap50 == pytest.approx(1.0)
    assert vehicles.overall.truth_count == 2 * 9  # instants 0, 1, 4, ... 22
    assert any("9 of 24 images" in note for note in report.notes)
    tracking = next(part for part in report.tracking if part.grouping == "vehicles")
    assert tracking.overall.mota == pytest.approx(1.0)
    everywhere = evaluate_pipeline(box_pipeline(), recording)
    assert everywhere.detection[0].overall.truth_count == 2 * 24
    assert not any("looked at" in note for note in everywhere.notes)


def test_a_saved_run_tells_where_the_detector_looked(tmp_path: Path) -> None:
    pipeline, recorder = interval_pipeline(2), RunRecorder()
    with ResultWriter(tmp_path / "run", cameras=["front", "rear"]) as writer:
        for number in range(4):
            scene = pipeline.step(FrameSet(frames_of(number, ("front", "rear")), number * 100_000_000, number))
            recorder.add(scene)
            writer.write(scene)
    saved = [record.detected_cameras for record in read_results(tmp_path / "run").forecasts]
    assert saved == [None, ("front",), ("rear",), ("front",)]
    assert saved == [record.detected_cameras for record in recorder.tables().records]
    # Every camera has its boxes at every instant.
    tracks = read_results(tmp_path / "run").tracks
    for camera in ("front", "rear"):
        assert tracks.frame_indices[tracks.cameras == camera].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
