"""The one loop that recorded video, live cameras, evaluation and tests all run."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from time import perf_counter

from perception.errors import PerceptionError
from perception.pipeline.prefetch import Prefetcher
from perception.pipeline.schedule import DetectionSchedule
from perception.protocols import Detector, EgoMotionEstimator, Forecaster, Source, Tracker
from perception.types import EgoMotions, FrameSet, Scene


@dataclass(frozen=True)
class Pipeline:
    """From the frames of an instant to a ``Scene``; knows its parts only by their protocols.

    The detector looks at the frames that ``schedule`` chooses; ``ego_motion``, where there is one, at all of them. The
    parts remember what they saw: call ``reset`` before another recording.
    """

    detector: Detector
    tracker: Tracker
    forecaster: Forecaster
    schedule: DetectionSchedule = field(default_factory=DetectionSchedule)
    ego_motion: EgoMotionEstimator | None = None

    def step(self, frame_set: FrameSet) -> Scene:
        """Process one instant. ``stage_ms`` records how long detect, ego-motion, track and forecast took, as far as
        they were done.

        Raises ``PerceptionError`` when time runs backwards, and when the detector does not answer for each frame.
        """
        frames = self.schedule.choose(frame_set.frames)
        times_s = [perf_counter()]
        found = self.detector.detect(frames) if frames else []
        times_s.append(perf_counter())
        given, answered = ([item.camera for item in items] for items in (frames, found))
        if given != answered:
            raise PerceptionError(
                f"The detector {self.detector.name} was given frames of the cameras {given} and answered for "
                f"{answered}; it must return one Detections for each frame, in their order."
            )
        detections = {part.camera: part for part in found}
        ego_motions: EgoMotions = {}
        if self.ego_motion is not None:
            ego_motions = self.ego_motion.update(frame_set, detections)
        times_s.append(perf_counter())
        now_ns, world_from_vehicle = frame_set.timestamp_ns, frame_set.world_from_vehicle
        tracks = self.tracker.update(found, now_ns, world_from_vehicle, ego_motions)
        times_s.append(perf_counter())
        forecasts = self.forecaster.step(tracks, now_ns, world_from_vehicle, ego_motions)
        times_s.append(perf_counter())
        elapsed_ms = [1e3 * (end - start) for start, end in pairwise(times_s)]
        stage_ms = dict(zip(("detect", "ego_motion", "track", "forecast"), elapsed_ms, strict=True))
        if not frames:
            del stage_ms["detect"]
        if self.ego_motion is None:
            del stage_ms["ego_motion"]
        return Scene(
            frame_set=frame_set,
            detections=detections,
            tracks=tracks,
            forecasts=forecasts,
            stage_ms=stage_ms,
            ego_motions=ego_motions,
        )

    def run(
        self, source: Source, *, max_frames: int | None = None, prefetch: bool = False
    ) -> Generator[Scene, None, None]:
        """A scene for each instant of ``source``, or for the first ``max_frames`` of them; the source stays open.

        A recording's scenes have the stage ``decode``; that of a live camera would be mostly waiting and is left out.
        ``prefetch`` decodes the next instant of a recording while the networks work on this one; the scenes are
        the same. A live camera reads in threads of its own.
        """
        instants = islice(_timed(source), max_frames)
        with Prefetcher(instants) if prefetch and not source.is_live else nullcontext(instants) as decoded:
            for decode_ms, frame_set in decoded:
                scene = self.step(frame_set)
                yield scene if source.is_live else replace(scene, stage_ms={"decode": decode_ms, **scene.stage_ms})

    def reset(self) -> None:
        """Forget all tracks and their pasts."""
        self.tracker.reset()
        self.forecaster.reset()
        self.schedule.reset()
        if self.ego_motion is not None:
            self.ego_motion.reset()


def _timed(source: Source) -> Iterator[tuple[float, FrameSet]]:
    """Each instant, and the milliseconds that it took to get it."""
    frame_sets = iter(source)
    while True:
        started_s = perf_counter()
        frame_set = next(frame_sets, None)
        if frame_set is None:
            return
        yield 1e3 * (perf_counter() - started_s), frame_set
