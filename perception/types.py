"""The types that the parts of the pipeline hand to one another.

    sources -> FrameSet -> detection -> Detections -> tracking -> Tracks -> forecasting -> Forecasts
                                                                                   \\-> Scene -> outputs

Each is a struct of arrays (N objects, first axis first), checked when it is made and indexable as one:
``detections[detections.scores > 0.5]``. Axes: image x right, y down, pixels, a pixel's centre at +0.5.
Time is integer nanoseconds; durations are seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from perception.camera import Rig

CLASSES: tuple[str, ...] = ("car", "truck", "bus", "motorcycle", "bicycle", "pedestrian")
"""Road users, in the order of the integer labels. Vehicles with four wheels or more come first."""

VEHICLE_LABELS: tuple[int, ...] = (0, 1, 2)
"""Labels of car, truck and bus, which several benchmarks count as one class."""

TWO_WHEELED_LABELS: tuple[int, ...] = (3, 4)
"""Labels of motorcycle and bicycle; their riders belong to them."""

PEDESTRIAN_LABEL = 5

USUAL_SIZES_LWH_M: tuple[tuple[float, float, float], ...] = (
    (4.5, 1.85, 1.55),
    (7.5, 2.5, 3.0),
    (11.5, 2.55, 3.1),
    (2.1, 0.8, 1.5),
    (1.75, 0.6, 1.65),
    (0.6, 0.6, 1.72),
)
"""Length, width and height of a usual member of each class, riders included; what a single camera cannot measure."""

NO_FEATURE_SPACE = ""
"""The ``feature_space`` of objects that carry no CNN feature."""

ReferenceFrame = Literal["image", "ground"]

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
SelfStruct = TypeVar("SelfStruct", bound="StructOfArrays")


def _check(name: str, value: object, shape: tuple[int | str, ...], kind: str) -> None:
    """Raise when ``value`` is not an array of ``shape`` (names stand for any size) and dtype ``kind``."""
    expected = "(" + ", ".join(str(size) for size in shape) + ")"
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name}: expected an array of shape {expected}, got {type(value).__name__}")
    sizes_match = value.ndim == len(shape) and all(
        isinstance(want, str) or want == got for want, got in zip(shape, value.shape, strict=True)
    )
    if not sizes_match:
        raise ValueError(f"{name}: expected shape {expected}, got {value.shape}")
    if value.dtype.kind not in kind:
        raise ValueError(f"{name}: expected dtype kind {kind!r}, got {value.dtype}")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")


class StructOfArrays:
    """Objects as columns. Fields that are arrays share their first axis; the rest holds for all objects."""

    def __len__(self) -> int:
        for column in fields(self):  # type: ignore[arg-type]
            value = getattr(self, column.name)
            if isinstance(value, np.ndarray):
                return len(value)
        raise TypeError(f"{type(self).__name__} has no array field")

    def __getitem__(self: SelfStruct, index: Any) -> SelfStruct:
        """Select objects by mask, integer array, slice, or one integer (which keeps the first axis)."""
        if isinstance(index, (int, np.integer)):
            index = [int(index)]
        columns = {
            column.name: value[index]
            for column in fields(self)  # type: ignore[arg-type]
            if isinstance(value := getattr(self, column.name), np.ndarray)
        }
        return replace(self, **columns)  # type: ignore[type-var]


@dataclass(frozen=True)
class Frame:
    """One image: uint8 RGB (H, W, 3), the camera's name, time of capture, index in its stream."""

    image: NDArray[np.uint8]
    camera: str
    timestamp_ns: int
    index: int

    def __post_init__(self) -> None:
        _check("Frame.image", self.image, ("H", "W", 3), "u")
        if self.image.dtype != np.uint8:
            raise ValueError(f"Frame.image: expected uint8, got {self.image.dtype}")

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height)."""
        return self.image.shape[1], self.image.shape[0]


@dataclass(frozen=True)
class FrameSet:
    """The frames of one instant, at most one per camera; a camera may be missing.

    ``world_from_vehicle`` is the car's pose (4, 4) where it is known.
    """

    frames: tuple[Frame, ...]
    timestamp_ns: int
    index: int
    world_from_vehicle: FloatArray | None = None

    def __post_init__(self) -> None:
        names = [frame.camera for frame in self.frames]
        if len(set(names)) != len(names):
            raise ValueError(f"FrameSet.frames: expected at most one frame per camera, got {names}")
        if self.world_from_vehicle is not None:
            _check("FrameSet.world_from_vehicle", self.world_from_vehicle, (4, 4), "f")

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)


@dataclass(frozen=True)
class Detections(StructOfArrays):
    """What a detector found in one camera's image.

    ``boxes_xyxy_px`` (N, 4) float in pixels of the original image, ``scores`` (N,) in 0..1, ``labels`` (N,)
    indices into ``CLASSES``, ``features`` (N, F), the CNN's embedding of each object (F may be 0).
    ``feature_space`` names the network that made the features, ``image_size_px`` is (width, height).
    """

    boxes_xyxy_px: FloatArray
    scores: FloatArray
    labels: IntArray
    features: FloatArray
    camera: str
    image_size_px: tuple[int, int]
    feature_space: str = NO_FEATURE_SPACE

    def __post_init__(self) -> None:
        count = len(self.boxes_xyxy_px)
        _check("Detections.boxes_xyxy_px", self.boxes_xyxy_px, (count, 4), "f")
        _check("Detections.scores", self.scores, (count,), "f")
        _check("Detections.labels", self.labels, (count,), "iu")
        _check("Detections.features", self.features, (count, "F"), "f")

    @classmethod
    def empty(cls, camera: str, image_size_px: tuple[int, int], feature_size: int = 0) -> Detections:
        return cls(
            boxes_xyxy_px=np.zeros((0, 4), np.float32),
            scores=np.zeros(0, np.float32),
            labels=np.zeros(0, np.int64),
            features=np.zeros((0, feature_size), np.float32),
            camera=camera,
            image_size_px=image_size_px,
        )


@dataclass(frozen=True)
class Sightings(StructOfArrays):
    """Where tracks were detected at one instant: one row for each track and camera that sees it.

    ``track_ids`` (M,), ``cameras`` (M,) names, ``boxes_xyxy_px`` (M, 4), ``scores`` (M,).
    """

    track_ids: IntArray
    cameras: NDArray[np.str_]
    boxes_xyxy_px: FloatArray
    scores: FloatArray

    def __post_init__(self) -> None:
        count = len(self.track_ids)
        _check("Sightings.track_ids", self.track_ids, (count,), "iu")
        _check("Sightings.cameras", self.cameras, (count,), "U")
        _check("Sightings.boxes_xyxy_px", self.boxes_xyxy_px, (count, 4), "f")
        _check("Sightings.scores", self.scores, (count,), "f")


@dataclass(frozen=True)
class Tracks(StructOfArrays):
    """The objects that the tracker knows at one instant.

    The state has S = 8 numbers, ``means`` (N, S) and ``covariances`` (N, S, S) are the filter's posterior:

    - image frame: centre x, y, width and height over the image's width and height (so 0..1), then their rates per
      second;
    - ground frame: the centre's x, y in the world, and the width and height that the object shows to the cameras, all
      in metres, then their rates in metres per second.

    ``boxes_xyxy_px`` (N, 4) is that state in pixels of ``cameras`` (N,), in the ground frame the camera that sees it
    best, with ``image_sizes_px`` (N, 2) as width and height. ``ages_s`` (N,) counts from the first detection,
    ``unseen_s`` (N,) from the last one; zero means seen now. ``scores`` are those of the last detection, ``features``
    (N, F) the last ones seen.

    Only in the ground frame: ``headings_rad`` (N,), where the object's front points in the world, counter-clockwise
    from x; ``sightings``, the boxes of all cameras at this instant (it is not cut when tracks are selected).
    """

    ids: IntArray
    labels: IntArray
    scores: FloatArray
    means: FloatArray
    covariances: FloatArray
    boxes_xyxy_px: FloatArray
    cameras: NDArray[np.str_]
    image_sizes_px: IntArray
    ages_s: FloatArray
    unseen_s: FloatArray
    features: FloatArray
    feature_space: str = NO_FEATURE_SPACE
    reference_frame: ReferenceFrame = "image"
    headings_rad: FloatArray | None = None
    sightings: Sightings | None = None

    def __post_init__(self) -> None:
        count = len(self.ids)
        state = self.means.shape[-1] if isinstance(self.means, np.ndarray) else 0
        _check("Tracks.ids", self.ids, (count,), "iu")
        _check("Tracks.labels", self.labels, (count,), "iu")
        _check("Tracks.scores", self.scores, (count,), "f")
        _check("Tracks.means", self.means, (count, state), "f")
        _check("Tracks.covariances", self.covariances, (count, state, state), "f")
        _check("Tracks.boxes_xyxy_px", self.boxes_xyxy_px, (count, 4), "f")
        _check("Tracks.cameras", self.cameras, (count,), "U")
        _check("Tracks.image_sizes_px", self.image_sizes_px, (count, 2), "iu")
        _check("Tracks.ages_s", self.ages_s, (count,), "f")
        _check("Tracks.unseen_s", self.unseen_s, (count,), "f")
        _check("Tracks.features", self.features, (count, "F"), "f")
        if self.headings_rad is not None:
            _check("Tracks.headings_rad", self.headings_rad, (count,), "f")
        if len(np.unique(self.ids)) != count:
            raise ValueError("Tracks.ids: expected each id once, got a repeated id")

    @classmethod
    def empty(cls, state_size: int = 8, feature_size: int = 0) -> Tracks:
        return cls(
            ids=np.zeros(0, np.int64),
            labels=np.zeros(0, np.int64),
            scores=np.zeros(0, np.float32),
            means=np.zeros((0, state_size)),
            covariances=np.zeros((0, state_size, state_size)),
            boxes_xyxy_px=np.zeros((0, 4)),
            cameras=np.zeros(0, dtype="U1"),
            image_sizes_px=np.zeros((0, 2), np.int64),
            ages_s=np.zeros(0),
            unseen_s=np.zeros(0),
            features=np.zeros((0, feature_size), np.float32),
        )


@dataclass(frozen=True)
class Forecasts(StructOfArrays):
    """K possible futures of each track, T steps of ``dt_s`` ahead; step 0 lies ``dt_s`` after now.

    ``probabilities`` (N, K) sum to one. ``means`` and ``stds`` (N, K, T, D): in the image frame D = 4, centre x, y,
    width and height over the image's width and height; spreads are standard deviations in the same units. In the
    ground frame D = 2, the centre's x, y in the world in metres; there the spreads lie along and across ``axes_rad``
    (N,), a direction in the world, counter-clockwise from x.
    """

    track_ids: IntArray
    probabilities: FloatArray
    means: FloatArray
    stds: FloatArray
    dt_s: float
    reference_frame: ReferenceFrame = "image"
    axes_rad: FloatArray | None = None

    def __post_init__(self) -> None:
        count = len(self.track_ids)
        _check("Forecasts.track_ids", self.track_ids, (count,), "iu")
        _check("Forecasts.probabilities", self.probabilities, (count, "K"), "f")
        modes = self.probabilities.shape[1]
        _check("Forecasts.means", self.means, (count, modes, "T", "D"), "f")
        _check("Forecasts.stds", self.stds, self.means.shape, "f")
        if self.reference_frame == "ground":
            _check("Forecasts.axes_rad", self.axes_rad, (count,), "f")
        if self.dt_s <= 0:
            raise ValueError(f"Forecasts.dt_s: expected a positive number, got {self.dt_s}")
        if count and not np.allclose(self.probabilities.sum(axis=1), 1.0, atol=1e-3):
            raise ValueError("Forecasts.probabilities: expected rows that sum to 1")

    @property
    def expected(self) -> FloatArray:
        """(N, T, D): the mean over the futures, the one output that minimises the squared error."""
        expected: FloatArray = np.einsum("nk,nktd->ntd", self.probabilities, self.means)
        return expected

    @classmethod
    def empty(cls, modes: int = 1, steps: int = 1, dt_s: float = 0.1) -> Forecasts:
        shape = (0, modes, steps, 4)
        return cls(np.zeros(0, np.int64), np.zeros((0, modes)), np.zeros(shape), np.zeros(shape), dt_s)


@dataclass(frozen=True)
class Scene:
    """All that the pipeline knows of one instant, and the milliseconds that each stage took."""

    frame_set: FrameSet
    detections: Mapping[str, Detections]
    tracks: Tracks
    forecasts: Forecasts
    stage_ms: dict[str, float] = field(default_factory=dict)

    @property
    def timestamp_ns(self) -> int:
        return self.frame_set.timestamp_ns


@dataclass(frozen=True)
class BoxTable(StructOfArrays):
    """Identified boxes of a whole recording, M rows: ground truth, or the tracks that a run wrote.

    ``frame_indices`` (M,) count from 0 in the recording's own frames, ``ids`` (M,), ``labels`` (M,) index ``CLASSES``,
    ``scores`` (M,) are 1 for ground truth, ``boxes_xyxy_px`` (M, 4), ``cameras`` (M,) names. ``visible_shares`` (M,)
    in 0..1 where the ground truth knows how much of an object can be seen.
    """

    frame_indices: IntArray
    ids: IntArray
    labels: IntArray
    scores: FloatArray
    boxes_xyxy_px: FloatArray
    cameras: NDArray[np.str_]
    visible_shares: FloatArray | None = None

    def __post_init__(self) -> None:
        count = len(self.frame_indices)
        _check("BoxTable.frame_indices", self.frame_indices, (count,), "iu")
        _check("BoxTable.ids", self.ids, (count,), "iu")
        _check("BoxTable.labels", self.labels, (count,), "iu")
        _check("BoxTable.scores", self.scores, (count,), "f")
        _check("BoxTable.boxes_xyxy_px", self.boxes_xyxy_px, (count, 4), "f")
        _check("BoxTable.cameras", self.cameras, (count,), "U")
        if self.visible_shares is not None:
            _check("BoxTable.visible_shares", self.visible_shares, (count,), "f")


@dataclass(frozen=True)
class ObjectTable(StructOfArrays):
    """Objects of a whole recording in the world, M rows: ground truth, or where the tracker saw them.

    ``timestamps_ns`` (M,), ``ids`` (M,), ``labels`` (M,) index ``CLASSES``, ``scores`` (M,) are 1 for ground truth,
    ``centres_m`` (M, 3) of the 3-D boxes and ``yaws_rad`` (M,) in the world, ``sizes_lwh_m`` (M, 3), ``speeds_mps``
    (M,).
    """

    timestamps_ns: IntArray
    ids: IntArray
    labels: IntArray
    scores: FloatArray
    centres_m: FloatArray
    sizes_lwh_m: FloatArray
    yaws_rad: FloatArray
    speeds_mps: FloatArray

    def __post_init__(self) -> None:
        count = len(self.timestamps_ns)
        _check("ObjectTable.timestamps_ns", self.timestamps_ns, (count,), "iu")
        _check("ObjectTable.ids", self.ids, (count,), "iu")
        _check("ObjectTable.labels", self.labels, (count,), "iu")
        _check("ObjectTable.scores", self.scores, (count,), "f")
        _check("ObjectTable.centres_m", self.centres_m, (count, 3), "f")
        _check("ObjectTable.sizes_lwh_m", self.sizes_lwh_m, (count, 3), "f")
        _check("ObjectTable.yaws_rad", self.yaws_rad, (count,), "f")
        _check("ObjectTable.speeds_mps", self.speeds_mps, (count,), "f")


@runtime_checkable
class Source(Protocol):
    """Frame sets in order of time. A file has a length, a live source has None."""

    @property
    def cameras(self) -> tuple[str, ...]: ...
    @property
    def rig(self) -> Rig | None:
        """Where the cameras sit and what they see; None unless all of them are calibrated."""
        ...

    @property
    def name(self) -> str:
        """A short name for the run's folder, without passwords."""
        ...

    @property
    def rate_fps(self) -> float:
        """Nominal instants per second; the time stamps are the truth."""
        ...

    @property
    def is_live(self) -> bool: ...
    @property
    def length(self) -> int | None: ...
    @property
    def dropped(self) -> int:
        """Frames that were captured but never handed out."""
        ...

    @property
    def warnings(self) -> list[str]:
        """What was skipped or went wrong without ending the stream, one sentence each."""
        ...

    def __iter__(self) -> Iterator[FrameSet]: ...
    def close(self) -> None: ...


@runtime_checkable
class Detector(Protocol):
    """Finds road users in several images in one batch."""

    @property
    def name(self) -> str: ...
    @property
    def feature_space(self) -> str: ...
    @property
    def feature_size(self) -> int: ...
    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """One ``Detections`` per frame, in the order of the frames."""
        ...


@runtime_checkable
class Tracker(Protocol):
    """Gives detections an identity over time."""

    def update(
        self, detections: Sequence[Detections], timestamp_ns: int, world_from_vehicle: FloatArray | None = None
    ) -> Tracks:
        """Take the detections of one instant, at most one ``Detections`` per camera; return the live tracks.

        ``world_from_vehicle`` (4, 4) is the car's pose where it is known; only the ground frame needs it.
        """
        ...

    def reset(self) -> None: ...


@runtime_checkable
class Forecaster(Protocol):
    """Says where each track will go; called once per instant, keeps its memory per track id."""

    def step(self, tracks: Tracks, timestamp_ns: int, world_from_vehicle: FloatArray | None = None) -> Forecasts: ...
    def reset(self) -> None: ...
