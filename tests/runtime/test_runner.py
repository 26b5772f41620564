"""A user's own pipeline over a user's own source: ``run_pipeline`` is a library function."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from support.commands import names_in
from support.moving_boxes import BoxDetector, box_pipeline, street_image, write_street

from perception.errors import PerceptionError
from perception.pipeline.prefetch import Prefetcher
from perception.protocols import Source
from perception.results import read_results
from perception.runtime import runner
from perception.runtime.run_stats import COMPLETE, FAILED
from perception.runtime.runner import run_pipeline
from perception.sources import open_source
from perception.types import Detections, Frame, FrameSet, Scene, TrackerCounts

TABLES = ["detections.json", "forecasts.jsonl", "labels.txt", "timing.json", "tracks.txt"]


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    """A video of 24 frames."""
    yield open_source([str(write_street(tmp_path / "street.mp4"))])


class OwnSource:
    """Frames from memory, as a user might have them; ``breaks_after`` so many it fails."""

    cameras = ("mine",)
    rig = None
    name = "own"
    rate_fps = 10.0
    dropped = 3
    frame_counts = None

    def __init__(self, frames: int = 6, *, is_live: bool = False, breaks_after: int | None = None) -> None:
        self.length = None if is_live else frames
        self.is_live = is_live
        self.warnings = ["one lens is dirty"]
        self.closed = threading.Event()
        self._frames = frames
        self._breaks_after = breaks_after

    def __iter__(self) -> Iterator[FrameSet]:
        for number in range(self._frames):
            if number == self._breaks_after:
                raise PerceptionError("own: the cable was pulled.")
            frame = Frame(street_image(number), "mine", timestamp_ns=number * 100_000_000, index=number)
            yield FrameSet((frame,), timestamp_ns=frame.timestamp_ns, index=number)

    def close(self) -> None:
        self.closed.set()


class OwnDisplay:
    """Shows up to ``most`` pictures, then the user has seen enough."""

    def __init__(self, most: int = 5) -> None:
        self.shown = 0
        self.is_closed = False
        self._most = most

    def show(self, picture: NDArray[np.uint8]) -> bool:
        assert picture.ndim == 3
        self.shown += 1
        return self.shown < self._most

    def close(self) -> None:
        self.is_closed = True


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_an_own_source_and_pipeline_run_without_files() -> None:
    source, scenes = OwnSource(), list[Scene]()
    result = run_pipeline(box_pipeline(), source, on_scene=scenes.append)
    assert (result.name, result.folder, result.is_complete) == ("own", None, True)
    stats = result.stats
    assert (stats.instants, stats.detections, stats.track_ids, stats.ended) == (6, 12, {1, 2}, COMPLETE)
    assert (stats.dropped_frames, stats.warnings) == (3, ["one lens is dirty"])
    assert stats.rate_fps > 0
    assert [scene.frame_set.index for scene in scenes] == list(range(6))
    assert source.closed.is_set()
    result.raise_failure()
    report = result.latency_report()
    assert report.latency is not None and set(report.latency.per_stage) == {"decode", "detect", "track", "forecast"}


def test_what_is_written_is_what_the_pipeline_gave(source: Source, tmp_path: Path) -> None:
    scenes = list[Scene]()
    result = run_pipeline(box_pipeline(), source, folder=tmp_path / "out", on_scene=scenes.append)
    assert result.folder == tmp_path / "out"
    assert names_in(result.folder) == sorted([*TABLES, "scene.mp4"])
    assert frames_in(result.folder / "scene.mp4") == len(scenes) == 24
    table = read_results(result.folder).tracks
    for scene in scenes:
        rows = table[table.frame_indices == scene.frame_set.index]
        now = scene.tracks[scene.tracks.unseen_s == 0]
        np.testing.assert_allclose(rows.boxes_xyxy_px, now.boxes_xyxy_px, atol=0.01)
        assert set(scene.stage_ms) == {"decode", "detect", "track", "forecast", "draw", "encode", "write", "total"}


def test_without_video_there_are_tables_only(source: Source, tmp_path: Path) -> None:
    result = run_pipeline(box_pipeline(), source, folder=tmp_path / "out", video=False, max_frames=3)
    assert names_in(tmp_path / "out") == TABLES
    assert result.stats.instants == 3
    assert result.is_complete


def test_prefetching_writes_what_one_after_the_other_does(tmp_path: Path) -> None:
    video = str(write_street(tmp_path / "street.mp4"))
    written = []
    for prefetch in (False, True):
        folder, scenes = tmp_path / str(prefetch), list[Scene]()
        run_pipeline(box_pipeline(), open_source([video]), folder=folder, prefetch=prefetch, on_scene=scenes.append)
        assert frames_in(folder / "scene.mp4") == 24
        written.append([(folder / name).read_bytes() for name in TABLES if name != "timing.json"])
    assert written[0] == written[1]


@pytest.mark.parametrize("is_live", [False, True])
def test_a_live_camera_is_never_prefetched(is_live: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = list[object]()
    monkeypatch.setattr(runner, "Prefetcher", lambda scenes: made.append(scenes) or Prefetcher(scenes))
    run_pipeline(box_pipeline(), OwnSource(is_live=is_live), prefetch=True)
    assert bool(made) is not is_live


@pytest.mark.parametrize("prefetch", [False, True])
def test_the_times_of_all_instants_are_the_time_of_the_run(prefetch: bool, tmp_path: Path) -> None:
    """What a report, a saved run and a stopwatch state is one and the same."""
    source = open_source([str(write_street(tmp_path / "street.mp4"))])
    started_s = perf_counter()
    result = run_pipeline(box_pipeline(), source, folder=tmp_path / "out", prefetch=prefetch)
    elapsed_ms = 1e3 * (perf_counter() - started_s)
    totals_ms = [times["total"] for times in result.stats.stage_ms]
    assert len(totals_ms) == 24
    assert 0.5 * elapsed_ms < sum(totals_ms) <= elapsed_ms
    saved_ms = read_results(tmp_path / "out").stage_ms["total"]
    np.testing.assert_allclose(saved_ms, totals_ms, atol=1e-3, rtol=1e-6)
    if not prefetch:
        for times in result.stats.stage_ms[1:]:  # the first was there before anything could be written
            before_writing = sum(value for stage, value in times.items() if stage not in ("total", "write"))
            assert times["total"] >= before_writing - 1e-6


def test_waiting_for_a_live_camera_is_no_time_of_an_instant() -> None:
    result = run_pipeline(box_pipeline(), OwnSource(is_live=True))
    for times in result.stats.stage_ms:
        assert times["total"] == pytest.approx(sum(value for stage, value in times.items() if stage != "total"))


def test_the_user_who_closes_the_window_ends_the_run_with_all_files_whole(source: Source, tmp_path: Path) -> None:
    window = OwnDisplay(most=5)
    result = run_pipeline(box_pipeline(), source, folder=tmp_path / "out", window=window)
    assert window.is_closed
    assert result.stats.ended == "the window was closed"
    assert not result.is_complete
    assert frames_in(tmp_path / "out" / "scene.mp4") == len(read_results(tmp_path / "out").forecasts) == 5


def test_a_source_that_breaks_off_is_the_results_failure(tmp_path: Path) -> None:
    result = run_pipeline(box_pipeline(), OwnSource(breaks_after=4), folder=tmp_path / "out")
    assert result.stats.ended == FAILED
    assert len(read_results(tmp_path / "out").forecasts) == result.stats.instants == 4
    with pytest.raises(PerceptionError, match="cable"):
        result.raise_failure()


@pytest.mark.parametrize("frames", [0, 5])
def test_a_run_that_never_starts_leaves_no_folder_and_no_window(frames: int, tmp_path: Path) -> None:
    source, window = OwnSource(frames, breaks_after=0), OwnDisplay()
    made = list[Path]()

    def make() -> Path:
        made.append(tmp_path / "out")
        return made[-1]

    with pytest.raises(PerceptionError, match="cable" if frames else "own: gave no picture"):
        run_pipeline(box_pipeline(), source, folder=make, window=window)
    assert made == []
    assert window.is_closed
    assert window.shown == 0


def test_the_time_that_is_up_ends_a_camera() -> None:
    class Endless(OwnSource):
        def __iter__(self) -> Iterator[FrameSet]:
            yield from super().__iter__()
            self.closed.wait()  # as a camera that gives nothing more until it is closed

    result = run_pipeline(box_pipeline(), Endless(is_live=True), duration_s=0.05)
    assert result.stats.ended == "the time was up"
    assert result.stats.failure is None


class OwnWriter:
    """Remembers what it was given; ``breaks`` where the disk is full."""

    def __init__(self, folder: Path | None, source: Source, *, breaks: bool = False) -> None:
        self.opened_with = folder, source
        self.instants: list[int] = []
        self.is_closed = False
        self._breaks = breaks

    def write(self, scene: Scene) -> None:
        if self._breaks:
            raise PerceptionError("disk: full.")
        assert "write" in scene.stage_ms
        self.instants.append(scene.frame_set.index)

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("breaks", [False, True])
def test_further_outputs_get_every_scene_and_are_closed(tmp_path: Path, breaks: bool) -> None:
    source, opened = OwnSource(), list[OwnWriter]()

    def open_writer(folder: Path | None, its_source: Source) -> OwnWriter:
        opened.append(OwnWriter(folder, its_source, breaks=breaks))
        return opened[-1]

    stats = run_pipeline(box_pipeline(), source, folder=tmp_path / "out", writers=[open_writer]).stats
    (writer,) = opened
    assert writer.opened_with == (tmp_path / "out", source)
    assert writer.is_closed
    assert writer.instants == ([] if breaks else list(range(6)))
    assert (stats.ended, stats.instants) == ((FAILED, 0) if breaks else (COMPLETE, 6))


def test_an_output_that_cannot_be_opened_ends_the_run_at_once(tmp_path: Path) -> None:
    def open_writer(folder: Path | None, source: Source) -> OwnWriter:
        raise PerceptionError("no room.")

    result = run_pipeline(box_pipeline(), OwnSource(), folder=tmp_path / "out", writers=[open_writer])
    assert (result.stats.instants, result.stats.ended) == (0, FAILED)
    with pytest.raises(PerceptionError, match="no room"):
        result.raise_failure()


def test_poses_that_cannot_be_true_are_warned_of() -> None:
    class Doubtful:
        """Like the tracker of the image, but it found something wrong with the poses."""

        def __init__(self) -> None:
            self._tracker = box_pipeline().tracker
            self.reference_frame = self._tracker.reference_frame
            self.update, self.reset = self._tracker.update, self._tracker.reset
            self.counts = TrackerCounts(wrong_poses=2, pose_restarts=1)

    pipeline = replace(box_pipeline(), tracker=Doubtful())  # type: ignore[arg-type]
    stats = run_pipeline(pipeline, OwnSource()).stats
    assert stats.left_out_by_tracker["wrong_poses"] == 2
    assert "at 2 of 6 instants the vehicle's pose cannot be true" in stats.warnings[1]
    assert "all tracks ended 1 x" in stats.warnings[2]


def test_an_error_that_is_no_fault_of_the_run_is_raised_and_closes_the_files(tmp_path: Path) -> None:
    class Faulty(BoxDetector):
        calls = 0

        def detect(self, frames: list[Frame]) -> list[Detections]:  # type: ignore[override]
            self.calls += 1
            if self.calls == 3:
                raise ZeroDivisionError("a bug")
            return super().detect(frames)

    with pytest.raises(ZeroDivisionError):
        run_pipeline(replace(box_pipeline(), detector=Faulty()), OwnSource(), folder=tmp_path / "out")
    assert frames_in(tmp_path / "out" / "scene.mp4") == 2


def test_the_log_states_where_the_results_are(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="perception"):
        run_pipeline(box_pipeline(), OwnSource(), folder=tmp_path / "out")
    assert [record.name for record in caplog.records] == ["perception.runtime.runner"] * 2
    assert str(tmp_path / "out") in caplog.text
    assert "complete after 6 instants" in caplog.text
