"""KITTI's tracking sequences in the image: true boxes of a camera that drives, 10 per second, 21 sequences.

Futures are those that the camera would see if it pointed on as it does now: how it turns is known from the poses. A
target is every fifth box with 0.5 s of past and 3 s of future. Errors are distances of the box's centre in pixels. The
sequences only measure: nothing is chosen by them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.benchmarks.split import Benchmark, Errors, Predicted, Split, SplitName, missing_column
from perception.files import read_arrays
from perception.forecasting.features.image_motion import TURNED, ego_columns, exact_observations
from perception.forecasting.track_dataset import CameraViews, Grid, TrackSet
from perception.geometry.boxes import normalized_cxcywh
from perception.geometry.rotation import rotation_about_z
from perception.geometry.turning import lens_of
from perception.taxonomy import CLASSES, PEDESTRIAN_LABEL, label_of
from perception.types import EgoMotion

_RATE_FPS = 10.0
_PAST, _HORIZON, _EVERY, _HISTORY = 5, 30, 5, 20
_SIZE_PX = (1242, 375)
_CAMERA_MATRIX = np.array([[721.5, 0, 609.6], [0, 721.5, 172.9], [0, 0, 1]])
"""That of the first drives; the others differ by 2 %."""
_CAMERA_FROM_VEHICLE = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
_STANDING_MPS = 0.15
_TURNING_RAD = 0.3
"""A target turns where the camera does by more in the 2 s before or after it."""
_TURNING_STEPS = 20
_WHAT = "KITTI's tracks in the image"
FOLDS = ("all", "vehicles", "pedestrians", "cyclists", "turning")


def read(path: Path, split: SplitName, fold: str = "") -> Split:
    """The targets of a fold, for any split. Raises ``UsageError`` when the file is missing or not of this kind."""
    columns = read_arrays(path, _WHAT)
    try:
        labels = np.array([-1 if (label := _label(str(name))) is None else label for name in columns["classes"]])
        label = labels[columns["cls"]]
        order = np.lexsort((columns["frame"], columns["id"], columns["seq"]))
        order = order[label[order] >= 0]
        sequences, ids, frames = (columns[name][order].astype(int) for name in ("seq", "id", "frame"))
        boxes = normalized_cxcywh(columns["box"][order] / 10.0, np.array(_SIZE_PX))
        poses, offsets = columns["ego"].astype(np.float64), columns["ego_offset"].astype(int)
    except KeyError as error:
        raise missing_column(path, _WHAT, error) from error
    instants = offsets[sequences] + frames
    keys = np.stack([sequences, ids, label[order]])
    is_start = np.ones(len(order), bool)
    is_start[1:] = (np.diff(keys, axis=1) != 0).any(axis=0) | (np.diff(frames) != 1)
    starts = np.append(np.flatnonzero(is_start), len(order))
    lengths = np.diff(starts)
    in_track = np.arange(len(order)) - np.repeat(starts[:-1], lengths)
    ends = np.repeat(starts[1:], lengths)
    tracks = TrackSet(
        observations=_observations(boxes, instants, poses, offsets),
        times_s=in_track / _RATE_FPS,
        unseen_s=np.zeros(len(order)),
        features=np.zeros((len(order), 0), np.float32),
        starts=starts,
        labels=label[order][starts[:-1]],
        instants=instants,
        truth=boxes,
        known=np.ones(len(order), bool),
        truth_rows=np.arange(len(order)),
        truth_ends=ends,
        grid=Grid(_RATE_FPS, tuple(range(1, _HORIZON + 1))),
        views=CameraViews(
            rows=instants,
            world_from_camera=rotation_about_z(poses[:, 2]) @ _CAMERA_FROM_VEHICLE.T,
            lenses=np.tile(lens_of(_CAMERA_MATRIX, _SIZE_PX), (len(poses), 1)),
        ),
    )
    is_target = (in_track >= _PAST) & (in_track % _EVERY == 0) & (np.arange(len(order)) + _HORIZON < ends)
    rows = np.flatnonzero(is_target & _in_fold(fold, label[order], _turns(instants, poses, offsets)))
    now = tracks.truth_rows[rows]
    in_view = np.isfinite(tracks.futures(now, now[:, None] + np.arange(1, _HORIZON + 1))).all(axis=(1, 2))
    rows = rows[in_view]
    return Split(tracks, rows, _HISTORY, sequences[rows], np.tile(np.tile(_SIZE_PX, 2).astype(float), (len(rows), 1)))


def errors(predicted: Predicted, actual: FloatArray) -> Errors:
    """By figure, pixels per target: the centre of the one output at 1, 2 and 3 s."""
    distances = np.linalg.norm(predicted.expected[..., :2] - actual[..., :2], axis=-1)
    return {f"FDE {second} s": distances[:, round(second * _RATE_FPS) - 1] for second in (1, 2, 3)}


KITTI_IMAGE = Benchmark(
    name="kitti-image",
    title="KITTI in the image, a camera that drives",
    unit="px",
    reference_frame="image",
    grid=Grid(_RATE_FPS, tuple(range(1, _HORIZON + 1))),
    group="sequence",
    read=read,
    errors=errors,
    chosen_by=("FDE 2 s",),
    published={},
    folds=FOLDS,
    averages_folds=False,
    notes=("What the camera's own turning moves is not part of the errors: it is known afterwards, not before.",),
)


def _observations(boxes: FloatArray, instants: IntArray, poses: FloatArray, offsets: IntArray) -> FloatArray:
    """(M, O): exact boxes, and how the camera moved since the instant before."""
    observations = exact_observations(boxes)
    order = np.argsort(instants, kind="stable")
    first = np.searchsorted(instants[order], np.arange(len(poses) + 1))
    for instant in np.setdiff1d(np.flatnonzero(np.diff(first)), offsets):
        rows = order[first[instant] : first[instant + 1]]
        observations[rows, TURNED.start :] = ego_columns(boxes[rows], _ego_motion(poses[instant - 1], poses[instant]))
    return observations


def _ego_motion(before: FloatArray, now: FloatArray) -> EgoMotion:
    """From x, y, yaw, forward speed and yaw rate."""
    camera_from_world = _CAMERA_FROM_VEHICLE @ rotation_about_z(now[2]).T
    speed_mps = float(abs(now[3]))
    stands = speed_mps < _STANDING_MPS
    return EgoMotion(
        dt_s=1 / _RATE_FPS,
        now_from_before=camera_from_world @ rotation_about_z(before[2]) @ _CAMERA_FROM_VEHICLE.T,
        rotation_stds_rad=np.full(3, 1e-3),
        camera_matrix=_CAMERA_MATRIX,
        image_size_px=_SIZE_PX,
        direction=None if stands else np.array([0.0, 0.0, np.sign(now[3])]),
        speed_mps=0.0 if stands else speed_mps,
    )


def _turns(instants: IntArray, poses: FloatArray, offsets: IntArray) -> FloatArray:
    """(M,): radians that the camera turns in the 2 s around which it turns more, before or after each box."""
    low, high = (offsets[np.searchsorted(offsets, instants, side="right") + shift] for shift in (-1, 0))
    yaws = np.unwrap(poses[:, 2])
    before, after = np.maximum(instants - _TURNING_STEPS, low), np.minimum(instants + _TURNING_STEPS, high - 1)
    turns: FloatArray = np.maximum(abs(yaws[instants] - yaws[before]), abs(yaws[after] - yaws[instants]))
    return turns


def _in_fold(fold: str, labels: IntArray, turns_rad: FloatArray) -> NDArray[np.bool_]:
    """(M,): whether each box belongs to it."""
    two_wheelers = [CLASSES.index(name) for name in ("motorcycle", "bicycle")]
    belongs: dict[str, NDArray[np.bool_]] = {
        "all": np.ones(len(labels), bool),
        "vehicles": labels < min(two_wheelers),
        "pedestrians": labels == PEDESTRIAN_LABEL,
        "cyclists": np.isin(labels, two_wheelers),
        "turning": turns_rad > _TURNING_RAD,
    }
    return belongs[fold or "all"]


def _label(name: str) -> int | None:
    """The label of a class of KITTI's; None for what is none of ours."""
    if name == "Tram":
        return CLASSES.index("bus")
    return label_of({"Person_sitting": "pedestrian", "Cyclist": "bicycle", "Van": "car"}.get(name, name))
