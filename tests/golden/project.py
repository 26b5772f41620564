"""All that the golden tests use of ``perception``: where a module moves or a class changes its name, adapt this file.

What leaves it are scenes as plain numbers and the evaluation's figures; nothing else below ``tests/golden`` imports the
package, except for the list of its public names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import perception
from perception import (
    Detections,
    Frame,
    FrameSet,
    Pipeline,
    RunConfig,
    Scene,
    build_pipeline,
    open_source,
    read_objects,
    read_truth,
)
from perception.evaluation import EvalConfig, EvaluatedRun, RunRecorder, Timeline, evaluate_run
from perception.files import bundled
from perception.taxonomy import CLASSES
from perception.tracking import GroundSettings, GroundTracker, ImageTracker, TrackerSettings
from perception.types import EgoMotions

FORECAST_S = 1.0
"""The first of the two times at which forecasts are pinned; the other one is their last step."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Input:
    """The first ``instants`` instants of a recording with ground truth, and the frame in which it is tracked."""

    name: str
    recording: Path
    frame: str
    instants: int


INPUTS = (
    Input("drive", Path(bundled("data/recording")), "ground", 60),
    Input("clip", Path(__file__).parent / "clip", "image", 40),
)


@dataclass(frozen=True)
class Found:
    """The detections in one camera at one instant: ``boxes`` (N, 4) in pixels, ``scores`` and ``labels`` (N,)."""

    camera: str
    labels: list[str]
    scores: FloatArray
    boxes: FloatArray


@dataclass(frozen=True)
class Followed:
    """One track at one instant: its box (4,) in pixels of ``camera``, and the expected places (2,) now, in one second
    and at the forecast's last step; metres in the world in the ground frame, pixels in the image frame."""

    id: int
    label: str
    camera: str
    box: FloatArray
    place: FloatArray
    in_one_second: FloatArray
    at_the_end: FloatArray


@dataclass(frozen=True)
class Instant:
    """What the pipeline said of one instant, by camera and by track."""

    found: list[Found]
    followed: list[Followed]


@dataclass(frozen=True)
class Run:
    """A run of the bundled weights over an input, its images forgotten."""

    input: Input
    config: RunConfig
    pipeline: Pipeline
    scenes: Sequence[Scene]

    @cached_property
    def instants(self) -> list[Instant]:
        return [_plain(scene) for scene in self.scenes]

    @cached_property
    def metrics(self) -> dict[str, float]:
        """The evaluation's figures by name; those of forecasts carry their horizon."""
        return _metrics(self)

    def with_tracker(self, **settings: Any) -> Run:
        """The same detections, tracked and forecast anew with other ``settings`` of the tracker."""
        detector = _Recorded(self.pipeline.detector, self.scenes)
        tracker: ImageTracker | GroundTracker
        if self.input.frame == "image":
            tracker = ImageTracker(_changed(TrackerSettings.for_detector(self.pipeline.detector), settings))
        else:
            with_rig = open_source([str(self.input.recording)]).rig
            assert with_rig is not None
            tracker = GroundTracker(with_rig, _changed(GroundSettings.for_detector(self.pipeline.detector), settings))
        pipeline = replace(self.pipeline, detector=detector, tracker=tracker, ego_motion=_RecordedMotion(self.scenes))
        pipeline.reset()
        return replace(self, scenes=[pipeline.step(scene.frame_set) for scene in self.scenes])


def run_input(which: Input, **settings: Any) -> Run:
    """Run the bundled weights over ``which`` on the CPU; ``settings`` are those of ``RunConfig``."""
    config = RunConfig(device="cpu", frame=which.frame, **settings)
    source = open_source([str(which.recording)])
    pipeline = build_pipeline(config, rig=source.rig).pipeline
    scenes = [replace(scene, frame_set=_without_images(scene.frame_set)) for scene in _first(pipeline, source, which)]
    return Run(which, config, pipeline, scenes)


def public_names() -> Mapping[str, Any]:
    """What ``perception`` exports, by name."""
    return {name: getattr(perception, name) for name in sorted(perception.__all__)}


def _first(pipeline: Pipeline, source: Any, which: Input) -> Iterator[Scene]:
    return islice(pipeline.run(source), which.instants)


def _without_images(frame_set: FrameSet) -> FrameSet:
    pixel = np.zeros((1, 1, 3), np.uint8)
    return replace(frame_set, frames=tuple(replace(frame, image=pixel) for frame in frame_set))


def _plain(scene: Scene) -> Instant:
    found = [
        Found(
            camera,
            [CLASSES[label] for label in detections.labels],
            detections.scores.astype(np.float64),
            detections.boxes_xyxy_px.astype(np.float64),
        )
        for camera, detections in sorted(scene.detections.items())
    ]
    tracks, forecasts = scene.tracks, scene.forecasts
    assert tracks.ids.tolist() == forecasts.track_ids.tolist()
    step = round(FORECAST_S / forecasts.dt_s) - 1
    followed = []
    for row in np.argsort(tracks.ids):
        # In the image frame places are shares of its width and height.
        scale = np.ones(2) if tracks.reference_frame == "ground" else tracks.image_sizes_px[row]
        now, soon, late = tracks.means[row, :2], forecasts.expected[row, step, :2], forecasts.expected[row, -1, :2]
        followed.append(
            Followed(
                id=int(tracks.ids[row]),
                label=CLASSES[tracks.labels[row]],
                camera=str(tracks.cameras[row]),
                box=tracks.boxes_xyxy_px[row].astype(np.float64),
                place=now * scale,
                in_one_second=soon * scale,
                at_the_end=late * scale,
            )
        )
    return Instant(found, followed)


def _metrics(run: Run) -> dict[str, float]:
    recorder = RunRecorder()
    for scene in run.scenes:
        recorder.add(scene)
    recording = str(run.input.recording)
    is_ground = run.input.frame == "ground"
    truth = read_truth(recording)
    assert truth is not None
    evaluated = EvaluatedRun.of(
        title=run.input.name,
        run=recorder.tables(),
        truth=truth,
        timeline=Timeline.of(open_source([recording])),
        objects=read_objects(recording) if is_ground else None,
    )
    config = EvalConfig(score_threshold=0.5, min_height_px=12, min_visible_share=0.5)
    report = evaluate_run(evaluated, config=config, rng=np.random.default_rng(0))
    vehicles, each = report.detection
    tracking = report.tracking if report.ground is None else report.ground.tracking
    figures: dict[str, float | None] = {
        "AP50 of vehicles": vehicles.overall.ap50,
        "AP50 mean of classes": each.overall.ap50,
        "HOTA of vehicles": tracking[0].overall.hota,
        "HOTA of each class": tracking[1].overall.hota,
        "IDF1 of vehicles": tracking[0].overall.idf1,
        "IDF1 of each class": tracking[1].overall.idf1,
    }
    if report.ground is not None:
        figures["position error, m"] = report.ground.localization.near.median_m
        for scores in report.ground.forecasting[0].horizons:
            if scores.expected is not None:
                figures[f"FDE at {scores.horizon_s:g} s, m"] = scores.expected.fde_m
    for in_image in report.forecasting[:1]:
        for of_horizon in in_image.horizons:
            if of_horizon.expected is not None:
                figures[f"FDE at {of_horizon.horizon_s:g} s, px"] = of_horizon.expected.fde_px
    missing = [name for name, value in figures.items() if value is None]
    assert not missing, f"{run.input.name}: not measured: {missing}"
    return {name: float(value) for name, value in figures.items() if value is not None}


def _changed(settings: Any, changes: Mapping[str, Any]) -> Any:
    """Checked anew, so that an unknown name is an error."""
    return type(settings).model_validate({**settings.model_dump(), **changes})


class _RecordedMotion:
    """How the cameras moved in recorded scenes, whose images are forgotten."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self._motions = {scene.timestamp_ns: scene.ego_motions for scene in scenes}

    def update(self, frame_set: FrameSet, detections: Mapping[str, Detections]) -> EgoMotions:
        return self._motions[frame_set.timestamp_ns]

    def reset(self) -> None:
        """Nothing is remembered."""


class _Recorded:
    """Finds again what another detector found in the same scenes."""

    def __init__(self, detector: Any, scenes: Sequence[Scene]) -> None:
        self._detector = detector
        self._found = {
            (camera, frame.index): scene.detections[camera]
            for scene in scenes
            for frame in scene.frame_set
            for camera in [frame.camera]
        }

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        return [self._found[frame.camera, frame.index] for frame in frames]
