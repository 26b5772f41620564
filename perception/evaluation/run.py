"""From the scenes of a run, or the tables of a finished one, to its report."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from perception.evaluation.boxes import ImageKey
from perception.evaluation.detection import DetectionReport, evaluate_detection
from perception.evaluation.forecast_types import ForecastingReport, ForecastRecord
from perception.evaluation.forecasting import evaluate_forecasts
from perception.evaluation.latency import evaluate_latency
from perception.evaluation.report import Report
from perception.evaluation.timeline import Timeline
from perception.evaluation.tracking import evaluate_tracking
from perception.evaluation.true_tracks import true_tracks
from perception.types import BoxTable, Forecaster, Scene

Grouping = Literal["both", "vehicles", "each"]


@dataclass(frozen=True)
class RunTables:
    """What a run found: boxes per frame of their camera, forecasts per instant of the recording, times per instant."""

    detections: BoxTable
    tracks: BoxTable
    records: tuple[ForecastRecord, ...]
    stage_ms: tuple[Mapping[str, float], ...]


@dataclass
class RunRecorder:
    """Keeps what the report needs of each scene; no images."""

    _detections: list[BoxTable] = field(default_factory=list)
    _tracks: list[BoxTable] = field(default_factory=list)
    _records: list[ForecastRecord] = field(default_factory=list)
    _stage_ms: list[Mapping[str, float]] = field(default_factory=list)

    def add(self, scene: Scene) -> None:
        """Take one instant. Tracks count where they were seen, forecasts also while their object is hidden."""
        frame_of = {frame.camera: frame.index for frame in scene.frame_set}
        for camera, found in scene.detections.items():
            self._detections.append(
                BoxTable(
                    frame_indices=np.full(len(found), frame_of[camera], np.int64),
                    ids=np.full(len(found), -1, np.int64),
                    labels=found.labels,
                    scores=found.scores,
                    boxes_xyxy_px=found.boxes_xyxy_px,
                    cameras=np.full(len(found), camera),
                )
            )
        seen = scene.tracks[scene.tracks.unseen_s == 0]
        self._tracks.append(
            BoxTable(
                frame_indices=np.array([frame_of[str(camera)] for camera in seen.cameras], np.int64),
                ids=seen.ids,
                labels=seen.labels,
                scores=seen.scores,
                boxes_xyxy_px=seen.boxes_xyxy_px,
                cameras=seen.cameras,
            )
        )
        self._records.append(
            ForecastRecord.from_tracks(
                frame_index=scene.frame_set.index,
                timestamp_ns=scene.timestamp_ns,
                tracks=scene.tracks,
                forecasts=scene.forecasts,
            )
        )
        self._stage_ms.append(scene.stage_ms)

    def tables(self) -> RunTables:
        return RunTables(
            detections=join_tables(self._detections),
            tracks=join_tables(self._tracks),
            records=tuple(self._records),
            stage_ms=tuple(self._stage_ms),
        )


def join_tables(tables: Sequence[BoxTable]) -> BoxTable:
    """All rows, in the order of ``tables``."""
    return BoxTable(
        frame_indices=np.concatenate([np.zeros(0, np.int64), *(table.frame_indices for table in tables)]),
        ids=np.concatenate([np.zeros(0, np.int64), *(table.ids for table in tables)]),
        labels=np.concatenate([np.zeros(0, np.int64), *(table.labels for table in tables)]),
        scores=np.concatenate([np.zeros(0), *(table.scores for table in tables)]),
        boxes_xyxy_px=np.concatenate([np.zeros((0, 4)), *(table.boxes_xyxy_px for table in tables)]),
        cameras=np.concatenate([np.zeros(0, "U1"), *(table.cameras for table in tables)]),
    )


def evaluate_run(
    *,
    run: RunTables,
    truth: BoxTable,
    timeline: Timeline,
    title: str,
    rng: np.random.Generator,
    score_threshold: float,
    grouping: Grouping = "both",
    min_height_px: float = 0.0,
    forecaster: Forecaster | None = None,
    notes: Sequence[str] = (),
) -> Report:
    """Compare a run with the ground truth of its recording, over the instants that the run processed.

    ``timeline`` and ``truth`` are those of the whole recording. ``forecaster`` is reset and fed with the true tracks
    as well; without it the report has only the forecasts on tracked boxes.

    Raises ``UsageError`` when run and truth are not of the same recording.
    """
    instants = [record.frame_index for record in run.records]
    images = timeline.images(instants)
    by_instant = timeline.at_instants(truth)
    forecasting = [_evaluate(run.records, by_instant, timeline, "tracked", rng)]
    if forecaster is not None:
        records = _forecast_true_tracks(forecaster, by_instant, timeline, instants)
        forecasting.append(_evaluate(records, by_instant, timeline, "true tracks", rng))
    return Report(
        title=title,
        detection=evaluate_groupings(
            truth=truth,
            detections=run.detections,
            grouping=grouping,
            score_threshold=score_threshold,
            min_height_px=min_height_px,
            images=images,
        ),
        tracking=tuple(
            evaluate_tracking(truth=truth, tracks=run.tracks, vehicles_as_one=vehicles_as_one, images=images)
            for vehicles_as_one in _ways(grouping)
        ),
        forecasting=tuple(forecasting),
        latency=evaluate_latency(stage_ms=run.stage_ms) if run.stage_ms else None,
        notes=tuple(notes),
    )


def evaluate_groupings(
    *,
    truth: BoxTable,
    detections: BoxTable,
    images: Collection[ImageKey],
    grouping: Grouping,
    score_threshold: float,
    min_height_px: float,
    exhaustive_labels: Mapping[ImageKey, Collection[int]] | None = None,
) -> tuple[DetectionReport, ...]:
    """``evaluate_detection`` once for each way of counting classes that ``grouping`` asks for."""
    return tuple(
        evaluate_detection(
            truth=truth,
            detections=detections,
            classes="vehicle" if vehicles_as_one else "each",
            score_threshold=score_threshold,
            min_height_px=min_height_px,
            exhaustive_labels=exhaustive_labels,
            images=images,
        )
        for vehicles_as_one in _ways(grouping)
    )


def _ways(grouping: Grouping) -> tuple[bool, ...]:
    """Whether vehicles count as one class, for each report."""
    return {"both": (True, False), "vehicles": (True,), "each": (False,)}[grouping]


def _evaluate(
    records: Sequence[ForecastRecord],
    truth: BoxTable,
    timeline: Timeline,
    setting: Literal["tracked", "true tracks"],
    rng: np.random.Generator,
) -> ForecastingReport:
    return evaluate_forecasts(
        records=records, truth=truth, frame_timestamps_ns=timeline.timestamps_ns, setting=setting, rng=rng
    )


def _forecast_true_tracks(
    forecaster: Forecaster, truth: BoxTable, timeline: Timeline, instants: Sequence[int]
) -> list[ForecastRecord]:
    forecaster.reset()
    records = []
    for instant, tracks in true_tracks(truth=truth, timeline=timeline, instants=instants):
        timestamp_ns = int(timeline.timestamps_ns[instant])
        records.append(
            ForecastRecord(
                frame_index=instant,
                timestamp_ns=timestamp_ns,
                track_ids=tracks.ids,
                boxes_xyxy_px=tracks.boxes_xyxy_px,
                cameras=tracks.cameras,
                image_sizes_px=tracks.image_sizes_px,
                forecasts=forecaster.step(tracks, timestamp_ns),
            )
        )
    return records
