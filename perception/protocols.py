"""What the parts of the pipeline must be able to do; anything that does it can take a part's place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from perception.arrays import FloatArray
from perception.geometry.cameras import Rig
from perception.types import (
    Detections,
    EgoMotions,
    Forecasts,
    Frame,
    FrameSet,
    ReferenceFrame,
    Scene,
    TrackerCounts,
    Tracks,
)


@runtime_checkable
class Source(Protocol):
    """Frame sets in order of time. A file has a length, a live source has None."""

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names, each once; every frame is of one of them."""
        ...

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
    def is_live(self) -> bool:
        """Whether it goes on without being asked, as a camera does."""
        ...

    @property
    def length(self) -> int | None:
        """Instants that an iteration hands out; None where that is not known."""
        ...

    @property
    def frame_counts(self) -> Mapping[str, int] | None:
        """Frames of each camera in the whole recording, the skipped ones too; None where that is not known."""
        ...

    @property
    def dropped(self) -> int:
        """Frames that were captured but never handed out."""
        ...

    @property
    def warnings(self) -> list[str]:
        """What was skipped or went wrong without ending the stream, one sentence each."""
        ...

    def __iter__(self) -> Iterator[FrameSet]:
        """From the first instant; a recording may be iterated again."""
        ...

    def close(self) -> None:
        """End the iteration and let go of cameras and files; may be called twice, and from another thread."""
        ...


@runtime_checkable
class Detector(Protocol):
    """Finds road users in several images in one batch."""

    @property
    def name(self) -> str:
        """A short name for reports."""
        ...

    @property
    def feature_space(self) -> str:
        """The network that makes the features; a forecaster uses only those it was trained with. ``""`` for none."""
        ...

    @property
    def feature_size(self) -> int:
        """Numbers in the feature of an object; 0 for none."""
        ...

    @property
    def is_calibrated(self) -> bool:
        """Whether a score is the probability of being right; the tracker then relies on low scores less."""
        ...

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """One ``Detections`` per frame, in the order of the frames."""
        ...


@runtime_checkable
class EgoMotionEstimator(Protocol):
    """Finds how each camera moved since its last frame."""

    def update(self, frame_set: FrameSet, detections: Mapping[str, Detections]) -> EgoMotions:
        """The motion of each camera of ``frame_set`` where it can be told; ``detections`` are what may move itself."""
        ...

    def reset(self) -> None:
        """Forget the last frames."""
        ...


@runtime_checkable
class Tracker(Protocol):
    """Gives detections an identity over time."""

    @property
    def reference_frame(self) -> ReferenceFrame:
        """What the states of its tracks are in: "image", or "ground" in metres."""
        ...

    @property
    def counts(self) -> TrackerCounts:
        """What was left out since the start or the last reset."""
        ...

    def update(
        self,
        detections: Sequence[Detections],
        timestamp_ns: int,
        world_from_vehicle: FloatArray | None = None,
        ego_motions: EgoMotions | None = None,
    ) -> Tracks:
        """Take the detections of one instant, at most one ``Detections`` per camera; return the live tracks.

        ``world_from_vehicle`` (4, 4) is the car's pose where it is known; only the ground frame needs it.
        ``ego_motions`` say how the cameras moved since their last frames, where that is known.
        """
        ...

    def reset(self) -> None:
        """Forget all tracks."""
        ...


@runtime_checkable
class Forecaster(Protocol):
    """Says where each track will go; called once per instant, keeps its memory per track id."""

    def step(
        self,
        tracks: Tracks,
        timestamp_ns: int,
        world_from_vehicle: FloatArray | None = None,
        ego_motions: EgoMotions | None = None,
    ) -> Forecasts:
        """The futures of ``tracks``, in their order and reference frame; may leave tracks out.

        Futures in the image hold for the camera as it points now: its own turning is left out where ``ego_motions``
        are given.
        """
        ...

    def reset(self) -> None:
        """Forget all tracks."""
        ...


@runtime_checkable
class Writer(Protocol):
    """A further output of a run, beside its tables and its video."""

    def write(self, scene: Scene) -> None:
        """Take one instant; called in the order of time."""
        ...

    def close(self) -> None:
        """Finish, also where the run broke off; called once."""
        ...
