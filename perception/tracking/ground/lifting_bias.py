"""Takes out of observations what lifting does wrong, once a heading is known or guessed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from perception.state_layout import POSITION
from perception.tracking.ground.ego_pose import PlanarPose
from perception.tracking.ground.lifting import Views
from perception.tracking.ground.object_shapes import expected_lifting
from perception.tracking.ground.observations import GroundObservations
from perception.tracking.ground.road_plane import RoadPlane
from perception.tracking.ground.settings import GroundSettings
from perception.tracking.ground.track_state import GroundTrackState, in_vehicle


def remove_lifting_bias(
    observed: GroundObservations,
    tracks: GroundTrackState,
    views: Views,
    pose: PlanarPose,
    road: RoadPlane,
    settings: GroundSettings,
) -> GroundObservations:
    """Observations (K,) of the tracks (K,), moved to the centres that shapes and headings imply.

    Their noise becomes that of the expected boxes: by the boxes that were found, those that look too near would seem
    the more certain ones. Where a box is cut at other sides than expected the observation stays as it is.
    """
    states = in_vehicle(tracks, pose)
    expected, is_like = expected_lifting(
        states,
        tracks.headings_rad - pose.yaw_rad,
        tracks.labels,
        seen_xyxy_px=observed.boxes_xyxy_px,
        views=views[observed.cameras],
        road=road,
        noise=settings.lifting,
    )
    errors_m = np.where(is_like[:, None], (expected.measured - states)[:, POSITION], 0.0)
    _, jitters, lasting = pose.to_world(expected.measured, expected.jitters, expected.lasting)
    measured = observed.measured.copy()
    measured[:, POSITION] -= errors_m @ pose.rotation.T
    is_like = is_like[:, None, None]
    return replace(
        observed,
        measured=measured,
        jitters=np.where(is_like, jitters, observed.jitters),
        lasting=np.where(is_like, lasting, observed.lasting),
    )
