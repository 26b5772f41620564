"""The JAAD benchmark: pedestrians' boxes in videos from a car (Rasouli et al. 2017), by the protocol of PIE_traj.

The data file is ``jaad_tracks.npz``: columns over all boxes, tracks as ranges of them, videos with their split.
Protocol: ``split_default``; ids that contain "p" (groups) are left out; tracks of at least 61 boxes; a window is 60
consecutive boxes of a track, 15 observed and 45 predicted at 30 frames per second; windows start every 7 boxes.
Errors are squared pixels of x1, y1, x2, y2, averaged over coordinates and frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from perception.errors import UsageError
from perception.types import FloatArray

FRAME_RATE_FPS = 30.0
OBSERVED, PREDICTED = 15, 45
_MIN_TRACK_BOXES = 61
_SPLITS = {"train": 0, "val": 1, "test": 2}
Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class JaadTracks:
    """Tracks of one split, ordered by video and pedestrian.

    ``boxes_xyxy_px`` (M, 4) of all tracks in a row; track i is rows ``starts[i]`` to ``starts[i + 1]``; ``videos`` (n,)
    and ``sizes_px`` (n, 2), width and height, are per track.
    """

    boxes_xyxy_px: FloatArray
    starts: NDArray[np.int64]
    videos: NDArray[np.int64]
    sizes_px: NDArray[np.int64]

    def windows(self, stride: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First rows (w,) of the protocol's windows, one every ``stride`` boxes, and the track (w,) of each."""
        firsts, tracks = [], []
        for track, (start, end) in enumerate(zip(self.starts[:-1], self.starts[1:], strict=True)):
            rows = np.arange(start, end - (OBSERVED + PREDICTED) + 1, stride)
            firsts.append(rows)
            tracks.append(np.full(len(rows), track))
        return np.concatenate(firsts), np.concatenate(tracks)


def read_jaad(path: Path, split: Split) -> JaadTracks:
    """Raises ``UsageError`` when the file is missing or not of this kind."""
    try:
        with np.load(path, allow_pickle=False) as content:
            columns = {name: content[name] for name in content.files}
        video_split = columns["split_default"]
        offsets = columns["offset"].astype(np.int64)
        lengths = np.diff(offsets)
        has_group_id = np.char.find(columns["track_pid"].astype(str), "p") >= 0
        videos = columns["track_video"].astype(np.int64)
        # The published loader walks the pedestrians of a video in the order of their ids as strings.
        wanted = (video_split[videos] == _SPLITS[split]) & ~has_group_id & (lengths >= _MIN_TRACK_BOXES)
        order = np.lexsort((columns["track_pid"], videos))
        order = order[wanted[order]]
        rows = np.concatenate([np.arange(offsets[i], offsets[i + 1]) for i in order])
        sizes = np.stack([columns["width"][videos[order]], columns["height"][videos[order]]], axis=1)
        return JaadTracks(
            boxes_xyxy_px=columns["box"][rows].astype(np.float64),
            starts=np.concatenate([[0], np.cumsum(lengths[order])]),
            videos=videos[order],
            sizes_px=sizes.astype(np.int64),
        )
    except (OSError, EOFError, BadZipFile, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as JAAD's tracks ({error}).") from error
    except KeyError as error:
        raise UsageError(f"{path}: has no column {error}; it is not a file of JAAD's tracks.") from error


@dataclass(frozen=True)
class JaadErrors:
    """Squared pixels, each (w,), one number per window."""

    mse_0_5_s: FloatArray
    mse_1_0_s: FloatArray
    mse_1_5_s: FloatArray
    centre_mse: FloatArray
    final_centre_mse: FloatArray

    def means(self) -> dict[str, float]:
        return {name: float(getattr(self, name).mean()) for name in self.__dataclass_fields__}


def jaad_errors(predicted_xyxy_px: FloatArray, actual_xyxy_px: FloatArray) -> JaadErrors:
    """Errors of futures (w, 45, 4)."""
    squared = (predicted_xyxy_px - actual_xyxy_px) ** 2
    centres = [(boxes[..., :2] + boxes[..., 2:]) / 2 for boxes in (predicted_xyxy_px, actual_xyxy_px)]
    centre_squared = ((centres[0] - centres[1]) ** 2).mean(axis=-1)
    half_s = PREDICTED // 3
    return JaadErrors(
        mse_0_5_s=squared[:, :half_s].mean(axis=(1, 2)),
        mse_1_0_s=squared[:, : 2 * half_s].mean(axis=(1, 2)),
        mse_1_5_s=squared.mean(axis=(1, 2)),
        centre_mse=centre_squared.mean(axis=1),
        final_centre_mse=centre_squared[:, -1],
    )


def constant_velocity_kalman(observed_xyxy_px: FloatArray, steps: int) -> FloatArray:
    """The published baseline: (w, L, 4) observed to (w, steps, 4).

    One Kalman filter per coordinate, state position and velocity, transition [[1, 1], [0, 1]], Q = I, R = 1, started
    at the first box with velocity 0 and unit covariance.
    """
    position, velocity = observed_xyxy_px[:, 0].copy(), np.zeros_like(observed_xyxy_px[:, 0])
    transition = np.array([[1.0, 1.0], [0.0, 1.0]])
    covariance = np.eye(2)
    for index in range(1, observed_xyxy_px.shape[1]):
        position = position + velocity
        covariance = transition @ covariance @ transition.T + np.eye(2)
        gain = covariance[:, 0] / (covariance[0, 0] + 1.0)
        surprise = observed_xyxy_px[:, index] - position
        position, velocity = position + gain[0] * surprise, velocity + gain[1] * surprise
        covariance = covariance - np.outer(gain, covariance[0])
    return position[:, None] + velocity[:, None] * np.arange(1, steps + 1)[:, None]
