"""What is around the car at one instant, in its own axes: ready to be drawn into the images and from above."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from perception.arrays import FloatArray, IntArray, StructOfArrays
from perception.geometry.rotation import left_normals, points_in_frame, rotate, unit_vectors
from perception.taxonomy import USUAL_SIZES_LWH_M
from perception.types import Forecasts, Scene, Tracks
from perception.visualization.primitives.colours import Colour, track_colour
from perception.visualization.primitives.track_history import TrackHistory

_PAST_POINTS = 9
_FUTURE_POINTS = 17
_MIN_FUTURE_M = 1.0
_MIN_PAST_M = 0.5


@dataclass(frozen=True, kw_only=True)
class GroundFutures(StructOfArrays):
    """M predicted paths of P points, the first one now, in the vehicle's axes in metres.

    ``rows`` (M,) of the objects they belong to, ``paths_m`` (M, P, 2), ``across`` (M, P, 2) unit vectors to the left
    of the path, ``spreads_m`` (M, P) the standard deviation in that direction, ``stds_m`` (M, 2) the ones at the end
    along and across ``axes_rad`` (M,), ``probabilities`` (M,), ``strengths`` (M,) in 0..1 how clearly each shall be
    seen, ``best`` (M,) whether it is the most probable one of its object.
    """

    rows: IntArray
    paths_m: FloatArray
    across: FloatArray
    spreads_m: FloatArray
    stds_m: FloatArray
    axes_rad: FloatArray
    probabilities: FloatArray
    strengths: FloatArray
    best: np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class GroundScene:
    """The N objects around the car, far ones first, in the vehicle's axes (x forward, y left) in metres.

    ``centres_m`` (N, 2), ``headings_rad`` (N,), ``sizes_lwh_m`` (N, 3) usual ones of the class, ``pasts_m`` (N, Q, 2)
    oldest first and up to now (Q is 0 without a history), ``colours`` N, ``futures`` None when there are none,
    ``own_past_m`` (P, 2) with ``own_ages`` (P,) in 0..1 of the history's span. ``heading_rad`` and ``position_m`` (2,)
    are the car's own in the world, ``speed_mps`` is None where it is not known.
    """

    tracks: Tracks
    colours: list[Colour]
    centres_m: FloatArray
    headings_rad: FloatArray
    sizes_lwh_m: FloatArray
    pasts_m: FloatArray
    futures: GroundFutures | None
    own_past_m: FloatArray
    own_ages: FloatArray
    position_m: FloatArray
    heading_rad: float
    speed_mps: float | None


def track_colours(tracks: Tracks) -> list[Colour]:
    """The colour of each track by its id."""
    return [track_colour(track_id) for track_id in tracks.ids.tolist()]


def ground_scene(
    scene: Scene,
    history: TrackHistory | None,
    *,
    min_probability: float,
    colours_of: Callable[[Tracks], list[Colour]] = track_colours,
) -> GroundScene:
    """Turn the world into the vehicle's axes. Where the pose is missing, ``history`` carries the last one on; without
    any the world is the vehicle.

    Tracks that are not in the ground frame are no part of it. Raises ``ValueError`` when the forecasts of ground
    tracks are in another frame.
    """
    pose = scene.frame_set.world_from_vehicle
    position, heading = (TrackHistory() if history is None else history).own_pose(pose)
    tracks = scene.tracks if scene.tracks.reference_frame == "ground" else scene.tracks[:0]
    centres = points_in_frame(tracks.positions, position, heading)
    order = np.argsort(-np.linalg.norm(centres, axis=1), kind="stable")
    tracks, centres = tracks[order], centres[order]
    pasts: FloatArray = np.zeros((len(tracks), 0, 2))
    own_past: FloatArray = np.zeros((0, 2))
    own_ages: FloatArray = np.zeros(0)
    speed_mps = None
    if history is not None:
        ages_s = np.linspace(history.span_s, 0, _PAST_POINTS)
        known = history.world_paths(tracks.ids.tolist(), ages_s, tracks.positions)
        pasts = np.concatenate([points_in_frame(known, position, heading)[:, :-1], centres[:, None]], axis=1)
        own_world, own_ages_s = history.own_path()
        own_past, own_ages = points_in_frame(own_world, position, heading), own_ages_s / history.span_s
        speed_mps = history.own_speed_mps(heading)
    headings = tracks.yaws_rad - heading
    return GroundScene(
        tracks=tracks,
        colours=colours_of(tracks),
        centres_m=centres,
        headings_rad=headings,
        sizes_lwh_m=np.array(USUAL_SIZES_LWH_M)[tracks.labels],
        pasts_m=pasts,
        futures=_futures(tracks, centres, headings, scene.forecasts, (position, heading), min_probability),
        own_past_m=own_past,
        own_ages=own_ages,
        position_m=position,
        heading_rad=heading,
        speed_mps=speed_mps,
    )


def has_moved(pasts_m: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(N,): which pasts (N, Q, 2) are long enough to be seen."""
    if not pasts_m.shape[1]:
        return np.zeros(len(pasts_m), np.bool_)
    reach = np.linalg.norm(pasts_m - pasts_m[:, -1:], axis=-1).max(axis=1)
    return np.asarray(reach >= _MIN_PAST_M)


def _futures(
    tracks: Tracks,
    centres_m: FloatArray,
    headings_rad: FloatArray,
    forecasts: Forecasts,
    pose: tuple[FloatArray, float],
    min_probability: float,
) -> GroundFutures | None:
    """The futures worth drawing: those of far objects first, of an object the unlikely ones first."""
    _, rows, sources = np.intersect1d(tracks.ids, forecasts.track_ids, return_indices=True)
    if not len(rows):
        return None
    if forecasts.reference_frame != "ground" or forecasts.axes_rad is None:
        raise ValueError(
            f"ground_scene: expected forecasts in the ground frame as the tracks are, got {forecasts.reference_frame!r}"
        )
    position, heading = pose
    steps = np.unique(np.linspace(0, forecasts.means.shape[2], _FUTURE_POINTS).round().astype(int))
    means = points_in_frame(forecasts.positions[sources], position, heading)
    now = np.broadcast_to(centres_m[rows, None, None], (*means.shape[:2], 1, 2))
    paths = np.concatenate([now, means], axis=2)
    stds = forecasts.stds[sources]
    stds = np.concatenate([np.zeros_like(stds[:, :, :1]), stds], axis=2)
    reach = np.linalg.norm(means - now, axis=-1).max(axis=2)
    probabilities = forecasts.probabilities[sources]
    best = np.zeros(probabilities.shape, np.bool_)
    best[np.arange(len(best)), probabilities.argmax(axis=1)] = True
    strengths = np.sqrt(probabilities / probabilities.max(axis=1, keepdims=True))
    strengths = np.where(tracks.is_seen[rows, None], 1.0, 0.5) * strengths
    is_drawn = (reach >= _MIN_FUTURE_M) & (best | (probabilities >= min_probability))
    track, mode = np.nonzero(is_drawn & tracks.shows_motion[rows, None])
    if not len(track):
        return None
    axes = forecasts.axes_rad[sources][track] - heading
    paths, stds = paths[track, mode][:, steps], stds[track, mode][:, steps]
    across = _left_of(paths, headings_rad[rows[track]])
    futures = GroundFutures(
        rows=rows[track],
        paths_m=paths,
        across=across,
        spreads_m=_std_towards(across, stds, axes),
        stds_m=stds[:, -1],
        axes_rad=axes,
        probabilities=probabilities[track, mode],
        strengths=strengths[track, mode],
        best=best[track, mode],
    )
    return futures[np.lexsort([futures.strengths, futures.rows])]


def _left_of(paths_m: FloatArray, headings_rad: FloatArray) -> FloatArray:
    """(M, P, 2): unit vectors at right angles to paths; where a path stands still, to the heading (M,)."""
    along = np.gradient(paths_m, axis=1)
    lengths = np.linalg.norm(along, axis=-1, keepdims=True)
    heading = unit_vectors(headings_rad)[:, None]
    return left_normals(np.where(lengths > 0.05, along / np.maximum(lengths, 1e-9), heading))


def _std_towards(directions: FloatArray, stds: FloatArray, axes_rad: FloatArray) -> FloatArray:
    """(M, P): the standard deviation in ``directions`` (M, P, 2) of spreads (M, P, 2) along and across axes (M,)."""
    along, across = np.moveaxis(rotate(directions, -axes_rad[:, None]), -1, 0)
    return np.asarray(np.hypot(along * stds[..., 0], across * stds[..., 1]))
