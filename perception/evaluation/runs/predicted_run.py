"""Somebody's predictions as a run that can be measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from perception.evaluation.core.records import InstantForecasts
from perception.evaluation.core.run_tables import Part, RunTables, join_tables
from perception.evaluation.core.timeline import Timeline
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.evaluation.runs.load_results import saved_records, saved_tables
from perception.evaluation.runs.truth import TrueRecording
from perception.results.formats.predictions import Predictions
from perception.sources.truth.box_truth import doubts_on_places, refuse_shares
from perception.types import Forecasts

_LONG_SHARE = 0.1
"""An end so much of the recording before that of the truth is no empty street."""


def predicted_run(predictions: Predictions, truth: TrueRecording, classes: Sequence[str] | None = None) -> EvaluatedRun:
    """``predictions`` beside the truth of their recording, over all of its instants, or those that a run states.

    Only ``classes`` count, where these are given.
    """
    known = truth.truth
    run = predicted_tables(predictions, truth.timeline)
    return EvaluatedRun.of(
        title=truth.name,
        run=run.of_classes(classes),
        truth=known.boxes,
        timeline=truth.timeline,
        objects=known.objects,
        ignored=known.ignored,
        notes=(
            *known.notes,
            *doubts_on_places(known.boxes, truth.timeline.image_sizes_px),
            *(() if predictions.run is not None else _doubts_on_the_end(run, truth)),
        ),
    )


def _doubts_on_the_end(run: RunTables, truth: TrueRecording) -> tuple[str, ...]:
    """A sentence where the boxes end long before the truth does, as those of a part of the recording."""
    last, last_true = (
        int(truth.timeline.instants_of(table).max(initial=-1))
        for table in (join_tables([run.detections, run.tracks]), truth.truth.boxes)
    )
    if last < 0 or last_true - last < _LONG_SHARE * len(truth.timeline.timestamps_ns):
        return ()
    return (
        f"The predictions of {truth.name} end at frame {last + 1} of {len(truth.timeline.timestamps_ns)}; what follows "
        "counts as missed.",
    )


def predicted_tables(predictions: Predictions, timeline: Timeline | None) -> RunTables:
    """The tables of a run that holds what ``predictions`` do, and lacks the rest.

    ``timeline`` is None for single pictures. Raises ``UsageError`` for boxes that are no pixels.
    """
    if predictions.run is not None:
        return saved_tables(predictions.run)
    found = {
        "detections": predictions.detections,
        "tracks": predictions.tracks,
        "forecasts": predictions.forecasts,
    }
    for boxes in (predictions.detections, predictions.tracks):
        if boxes is not None:
            refuse_shares(boxes, "predictions")
    parts: tuple[Part, ...] = ("detections", "tracks", "forecasts")
    if predictions.forecasts is not None:
        records = saved_records(predictions.forecasts)
    else:
        records = () if timeline is None else _unforecast(timeline)
    return RunTables(
        detections=predictions.detections or join_tables([]),
        tracks=predictions.tracks or join_tables([]),
        records=records,
        stage_ms=(),
        objects=predictions.objects,
        lacks=frozenset(part for part in parts if found[part] is None),
    )


def _unforecast(timeline: Timeline) -> tuple[InstantForecasts, ...]:
    """A record for each instant, without a track."""
    empty = InstantForecasts(
        frame_index=0,
        timestamp_ns=0,
        track_ids=np.zeros(0, np.int64),
        boxes_xyxy_px=np.zeros((0, 4)),
        cameras=np.zeros(0, "U1"),
        image_sizes_px=np.zeros((0, 2), np.int64),
        forecasts=Forecasts.empty(),
    )
    return tuple(
        replace(empty, frame_index=instant, timestamp_ns=time_ns)
        for instant, time_ns in enumerate(timeline.timestamps_ns.tolist())
    )
