"""Where objects on the ground point: as they move, and until they do, as their shown width suggests."""

from __future__ import annotations

import numpy as np

from perception.arrays import FloatArray
from perception.geometry.rotation import wrap_angle_rad
from perception.tracking.ground.ego_pose import PlanarPose
from perception.tracking.ground.lifting import USUAL_LWH_M
from perception.tracking.ground.settings import GroundMotionNoise
from perception.tracking.ground.track_state import BoolArray, GroundTrackState

_CLEAR_STDS = 2.5
"""A speed is clear from this many of its standard deviations on."""

_STILL_SHARE = 0.5
"""An object stops moving below this share of the speed from which it moves."""

_BETTER_BY = 0.1
"""A guess stays until the width that another one would show fits better by this share of the object's length."""

_BACKWARDS_RAD = 2.0
"""What turns by more than this while it slows down has not turned, its speed only errs around zero."""


_SURE_SHARE = 2.0
"""From this share of the speed from which it moves on, an object's heading follows its motion in full."""

_TURN_ROUND_SHARE = 2.0
"""Only from this share of the speed from which it moves on an object is believed to go back the way it came."""


def headings(
    tracks: GroundTrackState, pose: PlanarPose, dt_s: float, motion: GroundMotionNoise
) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Headings (N,) in the world after ``dt_s`` seconds, whether each object has ever moved (N,), and does now (N,).

    Moving objects point where they go, smoothed; they keep that when they stop. Others are taken to stand parallel to
    the car, or across the line of sight where they look too wide for that.
    """
    velocities, speeds = tracks.velocities, tracks.speeds_mps
    along = velocities / np.maximum(speeds, 1e-9)[:, None]
    stds = np.sqrt(np.einsum("ni,nij,nj->n", along, tracks.velocity_covariances, along))
    starts = np.asarray(motion.moving_speeds_mps)[tracks.groups]
    directions = tracks.directions_rad
    is_clear = ~tracks.models.is_standing & (speeds > starts) & (speeds > _CLEAR_STDS * stds)
    is_forward = np.abs(wrap_angle_rad(directions - tracks.headings_rad)) < _BACKWARDS_RAD
    is_moving = np.where(tracks.is_moving, is_forward & (speeds > _STILL_SHARE * starts), is_clear)
    is_moving &= is_forward | ~tracks.has_moved | (speeds > _TURN_ROUND_SHARE * starts)
    # The direction of a slow motion is mostly noise.
    trust = np.square(np.clip(speeds / (_SURE_SHARE * starts), 0.0, 1.0))
    gain = np.where(tracks.has_moved, trust * (1 - np.exp(-dt_s / motion.heading_settle_s)), 1.0)
    turned = tracks.headings_rad + gain * wrap_angle_rad(directions - tracks.headings_rad)
    kept = np.where(tracks.has_moved, tracks.headings_rad, _guesses(tracks, pose))
    return wrap_angle_rad(np.where(is_moving, turned, kept)), tracks.has_moved | is_moving, is_moving


def _guesses(tracks: GroundTrackState, pose: PlanarPose) -> FloatArray:
    """(N,): the present heading while the shown width fits, else the better one of parallel and across."""
    offsets_m = tracks.positions - pose.position_m
    sights = np.arctan2(offsets_m[:, 1], offsets_m[:, 0])
    across = sights + np.pi / 2
    # Of the two directions across, the one nearer to the car's own.
    across = np.where(np.cos(across - pose.yaw_rad) < 0, across + np.pi, across)
    options = np.stack([tracks.headings_rad, np.full(len(tracks), pose.yaw_rad), across])
    lengths_m, widths_m, _ = USUAL_LWH_M[tracks.labels].T
    shown_m = lengths_m * np.abs(np.sin(options - sights)) + widths_m * np.abs(np.cos(options - sights))
    misfits = np.abs(shown_m - tracks.sizes[:, 0]) / lengths_m
    misfits[0] -= _BETTER_BY
    guesses: FloatArray = options[misfits.argmin(axis=0), np.arange(len(tracks))]
    return guesses
