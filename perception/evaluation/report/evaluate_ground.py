"""All that is measured on the ground: tracking across cameras, positions, identities from camera to camera, futures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perception.evaluation.core.ground_truth import GroundScope, tracked_objects
from perception.evaluation.core.records import ForecastRecord, Setting
from perception.evaluation.forecasting.ground import GroundForecastingReport, evaluate_ground_forecasts
from perception.evaluation.runs.evaluated_run import MeasuredRun
from perception.evaluation.tracking.cross_camera_identity import HandoverReport, evaluate_handover
from perception.evaluation.tracking.ground import GroundTrackingReport, evaluate_ground_tracking
from perception.evaluation.tracking.gt_track_matching import match_sightings
from perception.evaluation.tracking.localization import PositionReport, evaluate_positions


@dataclass(frozen=True)
class GroundReport:
    """``tracking`` once per way of counting classes, ``forecasting`` once per setting."""

    tracking: tuple[GroundTrackingReport, ...]
    positions: PositionReport
    handover: HandoverReport
    forecasting: tuple[GroundForecastingReport, ...]


def evaluate_ground(
    measured: MeasuredRun, *, scope: GroundScope, ways: Sequence[bool], rng: np.random.Generator
) -> GroundReport:
    """Compare a run in the ground frame with the true objects in the world; only objects in ``scope`` count.

    ``ways``: whether vehicles count as one class, for each report on tracking. Raises ``ValueError`` for a run in the
    image frame or without true objects, ``UsageError`` where run and truth are not of the same recording.
    """
    if measured.run.objects is None or measured.objects is None:
        raise ValueError("measured: expected tracks and true objects on the ground")
    timeline, timestamps_ns = measured.timeline, measured.timeline.timestamps_ns
    truth = measured.ground_truth(scope)
    tracks = tracked_objects(objects=measured.run.objects, timeline=timeline, scope=scope)
    sighted = match_sightings(truth=measured.truth, tracks=measured.run.tracks, timeline=timeline, scope=scope)
    in_scope = truth.rows_of(instants=sighted.instants, ids=sighted.object_ids)
    is_near = (in_scope >= 0) & truth.counts[in_scope] if len(truth) else np.zeros(len(sighted), bool)
    unposed = set(measured.instants) - timeline.vehicle_poses.keys() if timeline.vehicle_poses else ()
    is_run = np.isin(sighted.instants, measured.instants)
    settings: list[tuple[Setting, Sequence[ForecastRecord]]] = [("tracked", measured.run.records)]
    if measured.true_records is not None:
        settings.append(("true tracks", measured.true_records))
    return GroundReport(
        tracking=tuple(
            evaluate_ground_tracking(
                truth=truth,
                tracks=tracks,
                scope=scope,
                instant_count=len(measured.instants),
                instant_without_pose_count=len(unposed),
                vehicles_as_one=vehicles_as_one,
            )
            for vehicles_as_one in ways
        ),
        positions=evaluate_positions(sighted=sighted, truth=truth, tracks=tracks),
        handover=evaluate_handover(sighted=sighted[is_near & is_run], timestamps_ns=timestamps_ns),
        forecasting=tuple(
            evaluate_ground_forecasts(records=records, objects=measured.objects, truth=truth, setting=setting, rng=rng)
            for setting, records in settings
        ),
    )
