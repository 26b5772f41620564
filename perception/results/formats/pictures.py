"""The pictures that a truth speaks of, by the names that files of predictions have for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray
from perception.errors import UsageError, counted
from perception.types import BoxTable

Picture = tuple[str, int]
"""The name of a camera and the index of its frame, from 0."""


class Places(NamedTuple):
    """Of M boxes: ``cameras`` (M,) and ``frames`` (M,), -1 where the truth has no such picture."""

    cameras: NDArray[np.str_]
    frames: IntArray


@dataclass(frozen=True, kw_only=True)
class SampleNames:
    """The tokens that a data set's own challenges have for the instants of a recording, with their ``times_ns``.

    ``known`` are those of all its recordings. ``data_from_world`` (4, 4) leads from the world of the recording to that
    of the data set. ``instances`` are the tokens of true objects by their ids.
    """

    times_ns: Mapping[str, int]
    known: frozenset[str]
    data_from_world: FloatArray
    instances: Mapping[int, str]


@dataclass(frozen=True, kw_only=True)
class PictureIndex:
    """Where predictions belong: frames of a recording, or single pictures.

    ``frame_counts`` are the frames of each camera of a recording, empty for single pictures. These are known by
    ``ids``, the text of a data set's own id, and by ``stems``, their file's name without its ending. ``sizes_px``
    (width, height) are by camera for a recording, by picture else. ``labels`` leads from the truth's own numbers of
    classes to indices into ``CLASSES``, None where it has no numbers; ``only_label`` is that of all true boxes, where
    they have the same. ``times_ns`` are those of the frames of a recording's only camera. ``name`` is the truth's.
    ``samples`` are the names of a recording's instants, where its data set has some.
    """

    name: str
    frame_counts: Mapping[str, int] = field(default_factory=dict)
    ids: Mapping[str, Picture] = field(default_factory=dict)
    stems: Mapping[str, Picture] = field(default_factory=dict)
    sizes_px: Mapping[Any, tuple[int, int]] = field(default_factory=dict)
    labels: Mapping[int, int] | None = None
    only_label: int | None = None
    times_ns: IntArray | None = None
    samples: SampleNames | None = None

    @property
    def is_recording(self) -> bool:
        return bool(self.frame_counts)

    @property
    def camera(self) -> str:
        """The only camera of a recording. Raises ``UsageError`` where there are several, or none."""
        if len(self.frame_counts) != 1:
            found = counted(len(self.frame_counts), "camera") if self.frame_counts else "single pictures"
            raise UsageError(f"{self.name}: has {found}, but the predictions are of the frames of one camera.")
        return next(iter(self.frame_counts))

    def size_px(self, camera: str, frame: int) -> tuple[int, int]:
        """(width, height). Raises ``UsageError`` where the truth does not know it."""
        size = self.sizes_px.get(camera if self.is_recording else (camera, frame))
        if size is None or min(size) <= 0:
            raise UsageError(f"{self.name}: the size of its pictures is unknown; put the pictures beside the labels.")
        return size

    def of_frames(self, numbers: IntArray) -> Places:
        """The places of the frames ``numbers`` (M,), from 0, of the one camera."""
        camera = self.camera
        known = (numbers >= 0) & (numbers < self.frame_counts[camera])
        return Places(np.full(len(numbers), camera), np.where(known, numbers, -1))

    def of_ids(self, ids: Sequence[object]) -> Places:
        """The places by the truth's ids; in a recording these are numbers of frames, from 0."""
        names = [str(one) for one in ids]
        if self.is_recording:
            return self.of_frames(np.array([int(name) if name.isdecimal() else -1 for name in names], np.int64))
        return _found(names, self.ids)

    def of_stems(self, stems: Sequence[str]) -> Places:
        """The places by the names of files.

        In a recording the digits at their end count its frames, from 1, and of several cameras the name stands before.
        """
        if not self.is_recording:
            return _found(stems, self.stems)
        parts = [stem.rpartition("_") for stem in stems]
        numbers = np.array([int(end) - 1 if end.isdecimal() else -1 for _, _, end in parts], np.int64)
        if len(self.frame_counts) == 1:
            return self.of_frames(numbers)
        cameras = [camera_in(start, list(self.frame_counts)) or "" for start, _, _ in parts]
        counts = np.array([self.frame_counts.get(camera, 0) for camera in cameras], np.int64)
        return Places(np.array(cameras, np.str_), np.where((numbers >= 0) & (numbers < counts), numbers, -1))

    def of_camera(self, camera: str) -> PictureIndex:
        """Of a recording, the frames of ``camera`` alone."""
        return replace(self, frame_counts={camera: self.frame_counts[camera]})


def camera_in(stem: str, cameras: Sequence[str]) -> str | None:
    """The camera whose name the name of a file is or ends with, as in "drive_front"; None where none is."""
    found = [camera for camera in cameras if stem == camera or stem.endswith(f"_{camera}")]
    return max(found, key=len, default=None)


def rows_by_picture(table: BoxTable) -> dict[Picture, IntArray]:
    """For each picture that has boxes the rows of these."""
    order = np.lexsort((table.frame_indices, table.cameras))
    cameras, frames = table.cameras[order], table.frame_indices[order]
    starts = np.flatnonzero((cameras[1:] != cameras[:-1]) | (frames[1:] != frames[:-1])) + 1
    groups = np.split(order, starts) if len(order) else []
    return {(str(table.cameras[rows[0]]), int(table.frame_indices[rows[0]])): rows for rows in groups}


def _found(names: Sequence[str], pictures: Mapping[str, Picture]) -> Places:
    places = [pictures.get(name, ("", -1)) for name in names]
    return Places(
        np.array([camera for camera, _ in places], np.str_), np.array([frame for _, frame in places], np.int64)
    )
