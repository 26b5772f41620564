"""The loop: from frames to a scene, the same each time."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.moving_boxes import BoxDetector, box_pipeline, street_image, true_boxes_xyxy_px, write_street

import perception
from perception.errors import PerceptionError
from perception.pipeline.pipeline import Pipeline
from perception.protocols import Detector, Forecaster, Tracker
from perception.sources import open_source
from perception.types import Frame, FrameSet, Scene


def street_frame_set(number: int, *, cameras: tuple[str, ...] = ("front",)) -> FrameSet:
    timestamp_ns = number * 100_000_000
    frames = tuple(Frame(street_image(number), camera, timestamp_ns, number) for camera in cameras)
    return FrameSet(frames, timestamp_ns, number)


def assert_same(scene: Scene, other: Scene) -> None:
    for ours, theirs in ((scene.tracks, other.tracks), (scene.forecasts, other.forecasts)):
        for name, value in vars(ours).items():
            np.testing.assert_array_equal(value, vars(theirs)[name], err_msg=name)
    assert scene.detections.keys() == other.detections.keys()
    for camera, found in scene.detections.items():
        np.testing.assert_array_equal(found.boxes_xyxy_px, other.detections[camera].boxes_xyxy_px)


def test_parts_meet_the_protocols() -> None:
    pipeline = box_pipeline()
    assert isinstance(pipeline.detector, Detector)
    assert isinstance(pipeline.tracker, Tracker)
    assert isinstance(pipeline.forecaster, Forecaster)


def test_a_step_finds_follows_and_forecasts() -> None:
    pipeline = box_pipeline()
    scenes = [pipeline.step(street_frame_set(number)) for number in range(8)]
    last = scenes[-1]
    np.testing.assert_allclose(last.detections["front"].boxes_xyxy_px, true_boxes_xyxy_px(7))
    assert last.tracks.ids.tolist() == scenes[2].tracks.ids.tolist() == [1, 2]
    np.testing.assert_array_equal(last.forecasts.track_ids, last.tracks.ids)
    # 20 px/s for one second, to the right and to the left.
    ahead_px = (last.forecasts.expected[:, 9, 0] - last.tracks.means[:, 0]) * 160
    np.testing.assert_allclose(ahead_px, [20, -20], atol=4)


def test_a_step_times_its_stages_in_order() -> None:
    stage_ms = box_pipeline().step(street_frame_set(0)).stage_ms
    assert list(stage_ms) == ["detect", "track", "forecast"]
    assert all(value >= 0 for value in stage_ms.values())


def test_all_cameras_of_an_instant_go_to_the_detector_at_once() -> None:
    batches: list[list[str]] = []

    class Watched(BoxDetector):
        def detect(self, frames):  # type: ignore[no-untyped-def]
            batches.append([frame.camera for frame in frames])
            return super().detect(frames)

    parts = box_pipeline()
    scene = Pipeline(Watched(), parts.tracker, parts.forecaster).step(street_frame_set(0, cameras=("left", "right")))
    assert batches == [["left", "right"]]
    assert list(scene.detections) == ["left", "right"]
    assert sorted(scene.tracks.cameras.tolist()) == ["left", "left", "right", "right"]


def test_a_detector_that_does_not_answer_for_each_frame_is_reported() -> None:
    class Forgetful(BoxDetector):
        def detect(self, frames):  # type: ignore[no-untyped-def]
            return super().detect(frames[:1])

    parts = box_pipeline()
    pipeline = Pipeline(Forgetful(), parts.tracker, parts.forecaster)
    with pytest.raises(PerceptionError, match=r"boxes was given .*\['left', 'right'\] and answered for \['left'\]"):
        pipeline.step(street_frame_set(0, cameras=("left", "right")))


def test_an_instant_without_frames_lets_tracks_coast() -> None:
    pipeline = box_pipeline()
    for number in range(4):
        pipeline.step(street_frame_set(number))
    scene = pipeline.step(FrameSet((), 400_000_000, 4))
    assert not scene.detections
    assert scene.tracks.ids.tolist() == [1, 2]
    np.testing.assert_allclose(scene.tracks.unseen_s, 0.1)


def test_replay_gives_the_same_scenes(tmp_path: Path) -> None:
    video = write_street(tmp_path / "street.mp4")
    runs = [list(box_pipeline().run(open_source([str(video)]))) for _ in range(2)]
    assert [len(scenes) for scenes in runs] == [24, 24]
    for scene, other in zip(*runs, strict=True):
        assert_same(scene, other)


def test_decoding_prefetch_gives_the_same_scenes(tmp_path: Path) -> None:
    video = write_street(tmp_path / "street.mp4")
    runs = [list(box_pipeline().run(open_source([str(video)]), prefetch=prefetch)) for prefetch in (False, True)]
    assert [len(scenes) for scenes in runs] == [24, 24]
    for scene, other in zip(*runs, strict=True):
        assert_same(scene, other)
        assert list(scene.stage_ms) == list(other.stage_ms)


def test_no_instant_is_decoded_beyond_those_that_are_asked_for(tmp_path: Path) -> None:
    taken = []

    class Counted:
        is_live = False

        def __iter__(self) -> Iterator[FrameSet]:
            for number in range(9):
                taken.append(number)
                yield street_frame_set(number)

    for prefetch in (False, True):
        taken.clear()
        scenes = list(box_pipeline().run(Counted(), max_frames=4, prefetch=prefetch))  # type: ignore[arg-type]
        assert len(scenes) == 4 and taken == [0, 1, 2, 3]


def test_reset_forgets_so_that_a_second_run_is_like_the_first(tmp_path: Path) -> None:
    video = write_street(tmp_path / "street.mp4", frames=6)
    pipeline = box_pipeline()
    first = list(pipeline.run(open_source([str(video)])))
    pipeline.reset()
    for scene, other in zip(first, pipeline.run(open_source([str(video)])), strict=True):
        assert_same(scene, other)


def test_time_that_runs_backwards_is_an_error() -> None:
    pipeline = box_pipeline()
    pipeline.step(street_frame_set(3))
    with pytest.raises(PerceptionError, match="order of time"):
        pipeline.step(street_frame_set(2))


def test_run_times_the_decoding_of_a_recording_but_not_the_waiting_for_a_camera() -> None:
    class FewFrames:
        cameras, name, rate_fps, length, dropped = ("front",), "few", 10.0, None, 0
        warnings: tuple[str, ...] = ()

        def __init__(self, *, is_live: bool) -> None:
            self.is_live = is_live

        def __iter__(self) -> Iterator[FrameSet]:
            return iter([street_frame_set(number) for number in range(3)])

        def close(self) -> None: ...

    recorded = [list(scene.stage_ms) for scene in box_pipeline().run(FewFrames(is_live=False))]  # type: ignore[arg-type]
    live = [list(scene.stage_ms) for scene in box_pipeline().run(FewFrames(is_live=True))]  # type: ignore[arg-type]
    assert recorded == [["decode", "detect", "track", "forecast"]] * 3
    assert live == [["detect", "track", "forecast"]] * 3


def test_the_package_exports_what_its_documentation_promises() -> None:
    for name in perception.__all__:
        assert getattr(perception, name) is not None
        assert name in dir(perception)
    with pytest.raises(AttributeError, match="no attribute 'pipelines'"):
        _ = perception.pipelines
