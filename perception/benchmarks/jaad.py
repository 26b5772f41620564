"""The JAAD benchmark: pedestrians' boxes in videos from a car (Rasouli et al. 2017), by the protocol of PIE_traj.

The data file is ``jaad_tracks.npz``: columns over all boxes, tracks as ranges of them, videos with their split.
Protocol: ``split_default``; ids that contain "p" (groups) are left out; tracks of at least 61 boxes; a window is 60
consecutive boxes of a track, 15 observed and 45 predicted at 30 frames per second; windows start every 7 boxes.
Errors are squared pixels of x1, y1, x2, y2, averaged over coordinates and frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.benchmarks.split import Benchmark, Errors, Predicted, Split, SplitName, missing_column
from perception.files import read_arrays
from perception.forecasting.features.image_motion import exact_observations
from perception.forecasting.track_dataset import IMAGE_GRID, Grid, TrackSet
from perception.geometry.boxes import normalized_cxcywh
from perception.taxonomy import PEDESTRIAN_LABEL

FRAME_RATE_FPS = 30.0
OBSERVED, PREDICTED = 15, 45
PROTOCOL_STRIDE = 7
_MIN_TRACK_BOXES = 61
_SPLITS = {"train": 0, "val": 1, "test": 2}
_WHAT = "JAAD's tracks"
_PREDICTED_GRID = Grid(FRAME_RATE_FPS, tuple(range(1, PREDICTED + 1)))


@dataclass(frozen=True)
class JaadTracks:
    """Tracks of one split, ordered by video and pedestrian.

    ``boxes_xyxy_px`` (M, 4) of all tracks in a row; track i is rows ``starts[i]`` to ``starts[i + 1]``; ``videos`` (n,)
    and ``sizes_px`` (n, 2), width and height, are per track; ``frames`` (M,) are those of the boxes.
    """

    boxes_xyxy_px: FloatArray
    frames: NDArray[np.int64]
    starts: NDArray[np.int64]
    videos: NDArray[np.int64]
    sizes_px: NDArray[np.int64]

    def share(self, share: float, rng: np.random.Generator) -> JaadTracks:
        """The tracks of so many of the videos, at least one."""
        videos = np.unique(self.videos)
        kept = np.flatnonzero(np.isin(self.videos, rng.permutation(videos)[: max(1, round(share * len(videos)))]))
        rows = np.concatenate([np.arange(self.starts[track], self.starts[track + 1]) for track in kept])
        return JaadTracks(
            boxes_xyxy_px=self.boxes_xyxy_px[rows],
            frames=self.frames[rows],
            starts=np.concatenate([[0], np.cumsum(np.diff(self.starts)[kept])]),
            videos=self.videos[kept],
            sizes_px=self.sizes_px[kept],
        )

    def windows(self, stride: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First rows (w,) of the protocol's windows, one every ``stride`` boxes, and the track (w,) of each."""
        firsts, tracks = [], []
        for track, (start, end) in enumerate(zip(self.starts[:-1], self.starts[1:], strict=True)):
            rows = np.arange(start, end - (OBSERVED + PREDICTED) + 1, stride)
            firsts.append(rows)
            tracks.append(np.full(len(rows), track))
        return np.concatenate(firsts), np.concatenate(tracks)


def read_jaad(path: Path, split: SplitName) -> JaadTracks:
    """Raises ``UsageError`` when the file is missing or not of this kind."""
    columns = read_arrays(path, _WHAT)
    try:
        video_split = columns["split_default"]
        offsets = columns["offset"].astype(np.int64)
        lengths = np.diff(offsets)
        has_group_id = np.char.find(columns["track_pid"].astype(str), "p") >= 0
        videos = columns["track_video"].astype(np.int64)
        # The published loader walks the pedestrians of a video in the order of their ids as strings.
        wanted = (video_split[videos] == _SPLITS[split]) & ~has_group_id & (lengths >= _MIN_TRACK_BOXES)
        order = np.lexsort((columns["track_pid"], videos))
        order = order[wanted[order]]
        rows = np.concatenate([np.arange(offsets[i], offsets[i + 1]) for i in order] + [np.zeros(0, int)])
        sizes = np.stack([columns["width"][videos[order]], columns["height"][videos[order]]], axis=1)
        return JaadTracks(
            boxes_xyxy_px=columns["box"][rows].astype(np.float64),
            frames=columns["frame"][rows].astype(np.int64),
            starts=np.concatenate([[0], np.cumsum(lengths[order])]),
            videos=videos[order],
            sizes_px=sizes.astype(np.int64),
        )
    except KeyError as error:
        raise missing_column(path, _WHAT, error) from error


def from_jaad(jaad: JaadTracks, grid: Grid = IMAGE_GRID) -> TrackSet:
    """JAAD's boxes, which are their own futures; one row is one step of the grid."""
    lengths = np.diff(jaad.starts)
    boxes = normalized_cxcywh(jaad.boxes_xyxy_px, np.repeat(jaad.sizes_px, lengths, axis=0))
    count = len(boxes)
    in_track = np.arange(count) - np.repeat(jaad.starts[:-1], lengths)
    frames_of_a_video = int(jaad.frames.max(initial=0)) + 1
    return TrackSet(
        observations=exact_observations(boxes),
        times_s=in_track / FRAME_RATE_FPS,
        unseen_s=np.zeros(count),
        features=np.zeros((count, 0), np.float32),
        starts=jaad.starts,
        labels=np.full(len(jaad.videos), PEDESTRIAN_LABEL),
        instants=np.repeat(jaad.videos, lengths) * frames_of_a_video + jaad.frames,
        truth=boxes,
        known=np.ones(count, bool),
        truth_rows=np.arange(count),
        truth_ends=np.repeat(jaad.starts[1:], lengths),
        grid=grid,
    )


def read(path: Path, split: SplitName, fold: str = "") -> Split:
    """The protocol's windows. Raises ``UsageError`` when the file is missing or not of this kind."""
    return protocol(read_jaad(path, split))


def protocol(jaad: JaadTracks, stride: int = PROTOCOL_STRIDE) -> Split:
    """Targets are windows that start every ``stride`` boxes."""
    firsts, tracks = jaad.windows(stride)
    return Split(
        tracks=from_jaad(jaad, _PREDICTED_GRID),
        ends=firsts + OBSERVED - 1,
        history=OBSERVED,
        groups=jaad.videos[tracks],
        units=np.tile(jaad.sizes_px[tracks], 2).astype(np.float64),
    )


def errors(predicted: Predicted, actual: FloatArray) -> Errors:
    """Squared pixels per window: of the one output, and of the best of the K futures, each minimum for itself."""
    one = squared_errors(predicted.expected, actual)
    every = squared_errors(predicted.means, actual[:, None])
    return one | {f"best {name}": values.min(axis=1) for name, values in every.items()}


def squared_errors(predicted: FloatArray, actual: FloatArray) -> dict[str, FloatArray]:
    """Of futures (..., 45, 4), centre and size in pixels: the five figures (...,)."""
    difference = predicted - actual
    half = difference[..., 2:] / 2
    corners = np.concatenate([difference[..., :2] - half, difference[..., :2] + half], axis=-1)
    per_frame = np.square(corners).mean(axis=-1)
    centre = np.square(difference[..., :2]).mean(axis=-1)
    third = PREDICTED // 3
    return {
        "MSE 0.5 s": per_frame[..., :third].mean(axis=-1),
        "MSE 1.0 s": per_frame[..., : 2 * third].mean(axis=-1),
        "MSE 1.5 s": per_frame.mean(axis=-1),
        "C_MSE": centre.mean(axis=-1),
        "CF_MSE": centre[..., -1],
    }


JAAD = Benchmark(
    name="jaad",
    title="JAAD, pedestrians' boxes",
    unit="px²",
    reference_frame="image",
    grid=_PREDICTED_GRID,
    group="video",
    read=read,
    errors=errors,
    chosen_by=("MSE 1.5 s",),
    notes=("Best: the smallest of the K futures' errors, each figure for itself.",),
    published={
        "PIE_traj": {"MSE 0.5 s": 110, "MSE 1.0 s": 399, "MSE 1.5 s": 1248, "C_MSE": 1183, "CF_MSE": 4780},
        "BiTraP-D, released": {"MSE 0.5 s": 101, "MSE 1.0 s": 396, "MSE 1.5 s": 1208},
        "SGNet-ED, released": {
            "MSE 0.5 s": 82.1,
            "MSE 1.0 s": 321.1,
            "MSE 1.5 s": 1020.3,
            "C_MSE": 968,
            "CF_MSE": 3965,
        },
        "MTN (with optical flow)": {"MSE 1.5 s": 995},
        "BiTraP-NP (from memory)": {"best MSE 0.5 s": 38, "best MSE 1.0 s": 94, "best MSE 1.5 s": 222},
        "SGNet": {"best MSE 0.5 s": 37, "best MSE 1.0 s": 86, "best MSE 1.5 s": 197},
    },
)
