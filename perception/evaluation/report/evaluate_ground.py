"""All figures on the ground: tracking across cameras, localization, cross-camera identity, forecasting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perception.evaluation.core.ground_truth import GroundScope, tracked_objects
from perception.evaluation.core.records import InstantForecasts, Setting
from perception.evaluation.core.table_boxes import Grouping
from perception.evaluation.forecasting.ground import (
    GroundForecastingReport,
    count_ground_forecasts,
    ground_forecasting_report,
)
from perception.evaluation.forecasting.target_sums import ForecastCounts
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.evaluation.tracking.cross_camera_identity import (
    CrossCameraIdentityReport,
    evaluate_cross_camera_identity,
    join_cross_camera_identity,
)
from perception.evaluation.tracking.ground import (
    GroundTrackingCounts,
    GroundTrackingReport,
    count_ground_tracking,
    ground_tracking_report,
)
from perception.evaluation.tracking.gt_track_matching import match_gt_tracks
from perception.evaluation.tracking.localization import (
    LocalizationCounts,
    LocalizationReport,
    count_localization,
    localization_report,
)


@dataclass(frozen=True)
class GroundReport:
    """``tracking`` once per way of counting classes, ``forecasting`` once per setting.

    ``localization`` and ``cross_camera_identity`` are None where the tracks have no boxes in the images, by which they
    are matched.
    """

    tracking: tuple[GroundTrackingReport, ...]
    localization: LocalizationReport | None
    cross_camera_identity: CrossCameraIdentityReport | None
    forecasting: tuple[GroundForecastingReport, ...]


@dataclass(frozen=True)
class GroundCounts:
    """The same of one recording, counted."""

    tracking: tuple[GroundTrackingCounts, ...]
    localization: LocalizationCounts | None
    cross_camera_identity: CrossCameraIdentityReport | None
    forecasting: tuple[ForecastCounts, ...]


def count_ground(evaluated: EvaluatedRun, *, scope: GroundScope, groupings: Sequence[Grouping]) -> GroundCounts:
    """Compare a run in the ground frame with the true objects in the world; only objects in ``scope`` count.

    There is one part on tracking for each of ``groupings``. Raises ``ValueError`` for a run in the
    image frame or without true objects, ``UsageError`` where run and truth are not of the same recording.
    """
    if evaluated.run.objects is None or evaluated.objects is None:
        raise ValueError("evaluated: expected tracks and true objects on the ground")
    timeline, timestamps_ns = evaluated.timeline, evaluated.timeline.timestamps_ns
    truth = evaluated.ground_truth(scope)
    tracks = tracked_objects(objects=evaluated.run.objects, timeline=timeline, scope=scope)
    matches = match_gt_tracks(truth=evaluated.truth, tracks=evaluated.run.tracks, timeline=timeline, scope=scope)
    in_scope = truth.rows_of(instants=matches.instants, ids=matches.object_ids)
    is_near = (in_scope >= 0) & truth.counts[in_scope] if len(truth) else np.zeros(len(matches), bool)
    unposed = set(evaluated.instants) - timeline.vehicle_poses.keys() if timeline.vehicle_poses else ()
    is_run = np.isin(matches.instants, evaluated.instants)
    has_boxes = "tracks" not in evaluated.run.lacks
    settings: list[tuple[Setting, Sequence[InstantForecasts]]] = []
    if "forecasts" not in evaluated.run.lacks:
        settings.append(("tracked", evaluated.run.records))
    if evaluated.gt_records is not None:
        settings.append(("ground-truth tracks", evaluated.gt_records))
    return GroundCounts(
        tracking=tuple(
            count_ground_tracking(
                truth=truth,
                tracks=tracks,
                scope=scope,
                instant_count=len(evaluated.instants),
                instant_without_pose_count=len(unposed),
                grouping=grouping,
            )
            for grouping in groupings
        ),
        localization=count_localization(matches=matches, truth=truth, tracks=tracks) if has_boxes else None,
        cross_camera_identity=evaluate_cross_camera_identity(
            matches=matches[is_near & is_run], timestamps_ns=timestamps_ns
        )
        if has_boxes
        else None,
        forecasting=tuple(
            count_ground_forecasts(records=records, objects=evaluated.objects, truth=truth, setting=setting)
            for setting, records in settings
        ),
    )


def ground_report(parts: Sequence[GroundCounts], *, rng: np.random.Generator, samples: int) -> GroundReport:
    """Of all recordings together, of one at least; intervals from ``rng`` by so many ``samples`` of the bootstrap."""
    located = [part.localization for part in parts if part.localization is not None]
    identities = [part.cross_camera_identity for part in parts if part.cross_camera_identity is not None]
    return GroundReport(
        tracking=tuple(ground_tracking_report(own) for own in zip(*(part.tracking for part in parts), strict=True)),
        localization=localization_report(located) if located else None,
        cross_camera_identity=join_cross_camera_identity(identities) if identities else None,
        forecasting=tuple(
            ground_forecasting_report(own, rng=rng, bootstrap_samples=samples)
            for own in zip(*(part.forecasting for part in parts), strict=True)
        ),
    )
