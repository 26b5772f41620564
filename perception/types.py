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
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perception.arrays import FloatArray, IntArray, StructOfArrays, check_array
from perception.state_layout import POSITION, SIZE, STATE_SIZE, ObjectStates

NO_FEATURE_SPACE = ""
"""The ``feature_space`` of objects that carry no CNN feature."""

ReferenceFrame = Literal["image", "ground"]

MIN_PAST_S = 0.5
"""A track's futures are drawn from this age on."""


@dataclass(frozen=True)
class Frame:
    """One image: uint8 RGB (H, W, 3), the camera's name, time of capture, index in its stream."""

    image: NDArray[np.uint8]
    camera: str
    timestamp_ns: int
    index: int

    def __post_init__(self) -> None:
        check_array("Frame.image", self.image, ("H", "W", 3), "u")
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
            check_array("FrameSet.world_from_vehicle", self.world_from_vehicle, (4, 4), "f")

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)


@dataclass(frozen=True, kw_only=True)
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
        check_array("Detections.boxes_xyxy_px", self.boxes_xyxy_px, (count, 4), "f")
        check_array("Detections.scores", self.scores, (count,), "f")
        check_array("Detections.labels", self.labels, (count,), "iu")
        check_array("Detections.features", self.features, (count, "F"), "f")

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


@dataclass(frozen=True, kw_only=True)
class Sightings(StructOfArrays):
    """Where tracks are seen at one instant: one row for each track and camera that sees it.

    In a camera that the detector does not look at now, the boxes are predicted for what it saw when it last did.

    ``track_ids`` (M,), ``cameras`` (M,) names, ``boxes_xyxy_px`` (M, 4), ``scores`` (M,).
    """

    track_ids: IntArray
    cameras: NDArray[np.str_]
    boxes_xyxy_px: FloatArray
    scores: FloatArray

    def __post_init__(self) -> None:
        count = len(self.track_ids)
        check_array("Sightings.track_ids", self.track_ids, (count,), "iu")
        check_array("Sightings.cameras", self.cameras, (count,), "U")
        check_array("Sightings.boxes_xyxy_px", self.boxes_xyxy_px, (count, 4), "f")
        check_array("Sightings.scores", self.scores, (count,), "f")

    @classmethod
    def empty(cls) -> Sightings:
        return cls(
            track_ids=np.zeros(0, np.int64),
            cameras=np.zeros(0, "U1"),
            boxes_xyxy_px=np.zeros((0, 4)),
            scores=np.zeros(0, np.float32),
        )

    def joined(self, other: Sightings) -> Sightings:
        """The rows of both, in this order."""
        columns = {c.name: np.concatenate([getattr(self, c.name), getattr(other, c.name)]) for c in fields(self)}
        return Sightings(**columns)


@dataclass(frozen=True, kw_only=True)
class Tracks(ObjectStates, StructOfArrays):
    """The objects that the tracker knows at one instant.

    ``means`` (N, 8) and ``covariances`` (N, 8, 8) are the filter's posterior; ``ObjectStates`` names the columns:
    ``positions``, ``sizes``, ``velocities``, ``speeds_mps`` and so on. In the image frame all are over the image's
    width and height (so 0..1), in the ground frame in metres in the world.

    ``boxes_xyxy_px`` (N, 4) is that state in pixels of ``cameras`` (N,), in the ground frame the camera that sees it
    best, with ``image_sizes_px`` (N, 2) as width and height. ``ages_s`` (N,) counts from the first detection,
    ``unseen_s`` (N,) from the last one; zero means seen now. ``scores`` are those of the last detection, ``features``
    (N, F) the last ones seen. ``waits`` (N,) marks tracks of a camera that the detector does not look at now, and that
    it saw when it last did; without it there are none.

    Only in the ground frame: ``headings_rad`` (N,), where the object's front points in the world, counter-clockwise
    from x; ``is_standing`` (N,), what does not move beyond its noise, its speed is zero; ``sightings``, the boxes of
    all cameras at this instant (it is not cut when tracks are selected).
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
    waits: NDArray[np.bool_] | None = None
    is_standing: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        count = len(self.ids)
        check_array("Tracks.ids", self.ids, (count,), "iu")
        check_array("Tracks.labels", self.labels, (count,), "iu")
        check_array("Tracks.scores", self.scores, (count,), "f")
        check_array("Tracks.means", self.means, (count, STATE_SIZE), "f")
        check_array("Tracks.covariances", self.covariances, (count, STATE_SIZE, STATE_SIZE), "f")
        check_array("Tracks.boxes_xyxy_px", self.boxes_xyxy_px, (count, 4), "f")
        check_array("Tracks.cameras", self.cameras, (count,), "U")
        check_array("Tracks.image_sizes_px", self.image_sizes_px, (count, 2), "iu")
        check_array("Tracks.ages_s", self.ages_s, (count,), "f")
        check_array("Tracks.unseen_s", self.unseen_s, (count,), "f")
        check_array("Tracks.features", self.features, (count, "F"), "f")
        if self.headings_rad is not None:
            check_array("Tracks.headings_rad", self.headings_rad, (count,), "f")
        if self.waits is not None:
            check_array("Tracks.waits", self.waits, (count,), "b")
        if self.is_standing is not None:
            check_array("Tracks.is_standing", self.is_standing, (count,), "b")
        if len(np.unique(self.ids)) != count:
            raise ValueError("Tracks.ids: expected each id once, got a repeated id")

    @property
    def is_seen(self) -> NDArray[np.bool_]:
        """(N,): found when its camera was last looked at."""
        is_seen: NDArray[np.bool_] = self.unseen_s == 0
        return is_seen if self.waits is None else is_seen | self.waits

    @property
    def lost_s(self) -> FloatArray:
        """(N,): seconds since the last detection, 0 for what is seen."""
        return np.where(self.is_seen, 0.0, self.unseen_s)

    @property
    def shows_motion(self) -> NDArray[np.bool_]:
        """(N,): known for at least ``MIN_PAST_S``; a shorter past says too little of where an object goes."""
        shows: NDArray[np.bool_] = self.ages_s >= MIN_PAST_S - 1e-6
        return shows

    @property
    def yaws_rad(self) -> FloatArray:
        """(N,) in the ground frame: where objects point in the world, by their motion where no heading is known."""
        if self.headings_rad is not None:
            return self.headings_rad
        return self.directions_rad

    @classmethod
    def empty(cls, feature_size: int = 0) -> Tracks:
        return cls(
            ids=np.zeros(0, np.int64),
            labels=np.zeros(0, np.int64),
            scores=np.zeros(0, np.float32),
            means=np.zeros((0, STATE_SIZE)),
            covariances=np.zeros((0, STATE_SIZE, STATE_SIZE)),
            boxes_xyxy_px=np.zeros((0, 4)),
            cameras=np.zeros(0, dtype="U1"),
            image_sizes_px=np.zeros((0, 2), np.int64),
            ages_s=np.zeros(0),
            unseen_s=np.zeros(0),
            features=np.zeros((0, feature_size), np.float32),
        )


@dataclass(frozen=True, kw_only=True)
class EgoMotion:
    """How one camera turned and travelled between its last frame and this one, ``dt_s`` later.

    ``now_from_before`` (3, 3): what lies in direction d of the old camera axes (x right, y down, z forward) lies in
    direction ``now_from_before @ d`` of the new ones, if it is far away. ``rotation_stds_rad`` (3,) about these axes.
    ``camera_matrix`` (3, 3): the pinhole camera, in pixels of the ``image_size_px`` (width, height), that is known or,
    where the camera brings none, was assumed. ``direction`` (3,): the unit vector of the camera's travel in its new
    axes, and ``speed_mps`` along it; None where unknown. ``from_poses``: it follows from the recording's poses of the
    car, and was not measured in the pictures.
    """

    dt_s: float
    now_from_before: FloatArray
    rotation_stds_rad: FloatArray
    camera_matrix: FloatArray
    image_size_px: tuple[int, int]
    direction: FloatArray | None = None
    speed_mps: float | None = None
    from_poses: bool = False

    def __post_init__(self) -> None:
        check_array("EgoMotion.now_from_before", self.now_from_before, (3, 3), "f")
        check_array("EgoMotion.rotation_stds_rad", self.rotation_stds_rad, (3,), "f")
        check_array("EgoMotion.camera_matrix", self.camera_matrix, (3, 3), "f")
        if self.direction is not None:
            check_array("EgoMotion.direction", self.direction, (3,), "f")
        if not self.dt_s > 0:
            raise ValueError(f"EgoMotion.dt_s: expected a positive number, got {self.dt_s}")

    def following(self, earlier: EgoMotion) -> EgoMotion:
        """Both motions as one, where a frame in between was left out; the direction is the last one."""
        dt_s = earlier.dt_s + self.dt_s
        speed_mps = None
        if earlier.speed_mps is not None and self.speed_mps is not None:
            speed_mps = (earlier.speed_mps * earlier.dt_s + self.speed_mps * self.dt_s) / dt_s
        return replace(
            self,
            dt_s=dt_s,
            now_from_before=self.now_from_before @ earlier.now_from_before,
            rotation_stds_rad=np.hypot(earlier.rotation_stds_rad, self.rotation_stds_rad),
            speed_mps=speed_mps,
        )


EgoMotions = Mapping[str, EgoMotion]
"""By camera; cameras whose motion is not known are not among them."""


@dataclass(frozen=True)
class TrackerCounts:
    """What a tracker left out since its start or last reset.

    ``weak_detections`` lay below ``weak_score``, ``empty_boxes`` had no area, ``unused_detections`` neither continued
    nor started a track, ``duplicate_tracks`` were copies of other tracks. Only in the ground frame: instants whose
    pose was missing (``missing_poses``) or cannot have been true (``wrong_poses``), and how often all tracks ended
    at a pose discontinuity (``pose_restarts``).
    """

    weak_detections: int = 0
    empty_boxes: int = 0
    unused_detections: int = 0
    duplicate_tracks: int = 0
    missing_poses: int = 0
    wrong_poses: int = 0
    pose_restarts: int = 0


@dataclass(frozen=True, kw_only=True)
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
        check_array("Forecasts.track_ids", self.track_ids, (count,), "iu")
        check_array("Forecasts.probabilities", self.probabilities, (count, "K"), "f")
        modes = self.probabilities.shape[1]
        check_array("Forecasts.means", self.means, (count, modes, "T", "D"), "f")
        check_array("Forecasts.stds", self.stds, self.means.shape, "f")
        if self.reference_frame == "ground":
            check_array("Forecasts.axes_rad", self.axes_rad, (count,), "f")
        if self.dt_s <= 0:
            raise ValueError(f"Forecasts.dt_s: expected a positive number, got {self.dt_s}")
        if count and not np.allclose(self.probabilities.sum(axis=1), 1.0, atol=1e-3):
            raise ValueError("Forecasts.probabilities: expected rows that sum to 1")

    @property
    def expected(self) -> FloatArray:
        """(N, T, D): the mean over the futures, the one output that minimises the squared error."""
        expected: FloatArray = np.einsum("nk,nktd->ntd", self.probabilities, self.means)
        return expected

    @property
    def most_probable(self) -> FloatArray:
        """(N, T, D): the mean of the most probable future."""
        best: FloatArray = self.means[np.arange(len(self)), self.probabilities.argmax(axis=1)]
        return best

    @property
    def positions(self) -> FloatArray:
        """(N, K, T, 2): where the centre will be."""
        return self.means[..., POSITION]

    @property
    def sizes(self) -> FloatArray:
        """(N, K, T, 2): width and height, which only forecasts in the image frame have; on the ground (N, K, T, 0)."""
        return self.means[..., SIZE]

    @property
    def end_points(self) -> FloatArray:
        """(N, K, 2): where the centre will be at the end of each future."""
        return self.positions[:, :, -1]

    @property
    def times_s(self) -> FloatArray:
        """(T,): how far ahead of now the steps lie."""
        return self.dt_s * np.arange(1, self.means.shape[2] + 1)

    @classmethod
    def empty(cls, modes: int = 1, steps: int = 1, dt_s: float = 0.1) -> Forecasts:
        shape = (0, modes, steps, 4)
        return cls(
            track_ids=np.zeros(0, np.int64),
            probabilities=np.zeros((0, modes)),
            means=np.zeros(shape),
            stds=np.zeros(shape),
            dt_s=dt_s,
        )


@dataclass(frozen=True)
class Scene:
    """All that the pipeline knows of one instant, the milliseconds that each stage took, and how the cameras moved."""

    frame_set: FrameSet
    detections: Mapping[str, Detections]
    tracks: Tracks
    forecasts: Forecasts
    stage_ms: dict[str, float] = field(default_factory=dict)
    ego_motions: EgoMotions = field(default_factory=dict)

    @property
    def timestamp_ns(self) -> int:
        return self.frame_set.timestamp_ns

    @property
    def detected_cameras(self) -> tuple[str, ...] | None:
        """Those that the detector looked at; None where it looked at all."""
        return None if len(self.detections) == len(self.frame_set) else tuple(self.detections)


@dataclass(frozen=True, kw_only=True)
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
        check_array("BoxTable.frame_indices", self.frame_indices, (count,), "iu")
        check_array("BoxTable.ids", self.ids, (count,), "iu")
        check_array("BoxTable.labels", self.labels, (count,), "iu")
        check_array("BoxTable.scores", self.scores, (count,), "f")
        check_array("BoxTable.boxes_xyxy_px", self.boxes_xyxy_px, (count, 4), "f")
        check_array("BoxTable.cameras", self.cameras, (count,), "U")
        if self.visible_shares is not None:
            check_array("BoxTable.visible_shares", self.visible_shares, (count,), "f")


ANY_LABEL = -1
"""The label of a region to ignore that holds for every class."""


@dataclass(frozen=True, kw_only=True)
class IgnoredRegions(StructOfArrays):
    """Where the ground truth of a recording does not say what is there, M rows: what is found there is not counted.

    ``frame_indices``, ``boxes_xyxy_px`` and ``cameras`` as in ``BoxTable``; ``labels`` (M,) index ``CLASSES``, or are
    ``ANY_LABEL``. ``is_object`` (M,) is True for a box around one thing that is not evaluated, which stands for one
    box that fits it (a distractor of MOTChallenge). It is False for a region with any number of things (KITTI's
    DontCare, COCO's crowds), which takes all boxes that lie in it.
    """

    frame_indices: IntArray
    labels: IntArray
    boxes_xyxy_px: FloatArray
    cameras: NDArray[np.str_]
    is_object: NDArray[np.bool_]

    def __post_init__(self) -> None:
        count = len(self.frame_indices)
        check_array("IgnoredRegions.frame_indices", self.frame_indices, (count,), "iu")
        check_array("IgnoredRegions.labels", self.labels, (count,), "iu")
        check_array("IgnoredRegions.boxes_xyxy_px", self.boxes_xyxy_px, (count, 4), "f")
        check_array("IgnoredRegions.cameras", self.cameras, (count,), "U")
        check_array("IgnoredRegions.is_object", self.is_object, (count,), "b")

    @classmethod
    def empty(cls) -> IgnoredRegions:
        return cls(
            frame_indices=np.zeros(0, np.int64),
            labels=np.zeros(0, np.int64),
            boxes_xyxy_px=np.zeros((0, 4)),
            cameras=np.zeros(0, "U1"),
            is_object=np.zeros(0, bool),
        )

    @classmethod
    def joined(cls, parts: Sequence[IgnoredRegions]) -> IgnoredRegions:
        """The rows of all ``parts``, in this order."""
        some = [cls.empty(), *parts]
        return cls(**{c.name: np.concatenate([getattr(part, c.name) for part in some]) for c in fields(cls)})


@dataclass(frozen=True, kw_only=True)
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
        check_array("ObjectTable.timestamps_ns", self.timestamps_ns, (count,), "iu")
        check_array("ObjectTable.ids", self.ids, (count,), "iu")
        check_array("ObjectTable.labels", self.labels, (count,), "iu")
        check_array("ObjectTable.scores", self.scores, (count,), "f")
        check_array("ObjectTable.centres_m", self.centres_m, (count, 3), "f")
        check_array("ObjectTable.sizes_lwh_m", self.sizes_lwh_m, (count, 3), "f")
        check_array("ObjectTable.yaws_rad", self.yaws_rad, (count,), "f")
        check_array("ObjectTable.speeds_mps", self.speeds_mps, (count,), "f")
