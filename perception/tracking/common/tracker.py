"""What the trackers of both reference frames share: the clock, ids, counts, features, and the life of tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from perception.arrays import IntArray
from perception.errors import PerceptionError, UsageError
from perception.taxonomy import CLASSES
from perception.tracking.common.association import BoolArray
from perception.tracking.common.settings import LifeSettings
from perception.tracking.common.track_state import TrackState
from perception.types import NO_FEATURE_SPACE, Detections, ReferenceFrame, TrackerCounts, Tracks

SettingsT = TypeVar("SettingsT", bound=LifeSettings)
StateT = TypeVar("StateT", bound=TrackState)


class _Look(NamedTuple):
    """When the detector last looked at a camera, and how many instants ago that is."""

    timestamp_ns: int
    frames_ago: int


class TrackerBase(Generic[SettingsT, StateT]):
    """A tracker without its ``update``; a subclass predicts, associates, corrects and spawns ``self._tracks``.

    Ids count from 1 and belong to the instance.
    """

    reference_frame: ReferenceFrame

    def __init__(self, settings: SettingsT, no_tracks: StateT) -> None:
        self._settings = settings
        self._no_tracks = no_tracks
        self.reset()

    def reset(self) -> None:
        """Forget everything; ids count from 1 again."""
        self._tracks = self._no_tracks
        self._feature_space = NO_FEATURE_SPACE
        self._now_ns: int | None = None
        self._looks: dict[str, _Look] = {}
        self._next_id = 1
        self._counts = TrackerCounts()

    @property
    def settings(self) -> SettingsT:
        """The thresholds in use."""
        return self._settings

    @property
    def counts(self) -> TrackerCounts:
        """What was left out so far."""
        return self._counts

    @property
    def _feature_size(self) -> int:
        return int(self._tracks.features.shape[1])

    def _check_instant(self, detections: Sequence[Detections], timestamp_ns: int) -> None:
        """Raise where the detections of an instant cannot be tracked.

        ``PerceptionError`` when time runs backwards, ``ValueError`` when a camera comes twice or a label has no class.
        """
        if self._now_ns is not None and timestamp_ns < self._now_ns:
            raise PerceptionError(
                f"The time stamp {timestamp_ns} ns comes after {self._now_ns} ns and lies before it: "
                "give the frames in order of time, or reset the tracker before a new recording."
            )
        cameras = [found.camera for found in detections]
        if len(set(cameras)) != len(cameras):
            raise ValueError(f"detections: expected at most one Detections per camera, got {cameras}")
        for found in detections:
            if len(found) and np.any((found.labels < 0) | (found.labels >= len(CLASSES))):
                raise ValueError(
                    f"detections: expected labels in 0..{len(CLASSES) - 1}, got others from {found.camera}"
                )

    def _begin_instant(self, detections: Sequence[Detections], timestamp_ns: int) -> float:
        """Move the clock and drop what was unseen for too long; returns the seconds since the last instant, else 0.

        Raises ``UsageError`` when the cameras' features come from different networks.
        """
        self._adopt_features(detections)
        self._looks = {camera: look._replace(frames_ago=look.frames_ago + 1) for camera, look in self._looks.items()}
        dt_s = 0.0 if self._now_ns is None else (timestamp_ns - self._now_ns) / 1e9
        self._now_ns = timestamp_ns
        is_recent = self._tracks.unseen_s(timestamp_ns) <= self._settings.max_unseen_s
        self._tracks = self._tracks[is_recent | self._in_gap(timestamp_ns)]
        return dt_s

    def _in_gap(self, timestamp_ns: int) -> BoolArray:
        """(N,): seen when their camera last sent a frame, which is at most ``max_gap_s`` ago."""
        found: BoolArray = np.zeros(len(self._tracks), bool)
        for camera, look in self._looks.items():
            if timestamp_ns - look.timestamp_ns <= self._settings.max_gap_s * 1e9:
                found |= (self._tracks.cameras == camera) & (self._tracks.last_ns == look.timestamp_ns)
        return found

    def _since_look_s(self, camera: str, timestamp_ns: int) -> float:
        """Seconds since the detector last looked at ``camera``, infinite before the first time."""
        look = self._looks.get(camera)
        return np.inf if look is None else (timestamp_ns - look.timestamp_ns) / 1e9

    def _remember_looks(self, detections: Sequence[Detections], timestamp_ns: int) -> None:
        """At the end of an instant."""
        self._looks.update({found.camera: _Look(timestamp_ns, 0) for found in detections})

    @property
    def _waiting(self) -> list[str]:
        """The cameras that the detector did not look at because it is not their turn."""
        return [name for name, look in self._looks.items() if 0 < look.frames_ago < self._settings.detect_interval]

    def _adopt_features(self, detections: Sequence[Detections]) -> None:
        """Remember whose features the tracks carry; when the network changes, the old features mean nothing."""
        known = self._feature_space, self._feature_size
        space, size = feature_kind(detections) or known
        if (space, size) != known:
            self._feature_space = space
            self._tracks = replace(self._tracks, features=np.zeros((len(self._tracks), size), np.float32))

    def _confirm(self, timestamp_ns: int, *, at_once: BoolArray | bool) -> None:
        """Give ids to the tracks that have proved themselves, and to those (N,) that need not."""
        tracks, settings = self._tracks, self._settings
        is_proved = (
            (tracks.hits >= settings.min_hits)
            & (tracks.label_votes.sum(axis=1) >= settings.min_score_sum)
            & (tracks.ages_s(timestamp_ns) >= settings.confirm_s)
        )
        is_new: BoolArray = ~tracks.is_confirmed & (is_proved | at_once)
        count = int(is_new.sum())
        ids: IntArray = tracks.ids.copy()
        ids[is_new] = self._next_id + np.arange(count)
        self._next_id += count
        self._tracks = replace(tracks, ids=ids)

    def _report(self, tracks: StateT, timestamp_ns: int, **more: Any) -> Tracks:
        """What is known of ``tracks``; ``more`` are the fields that only one frame has, or makes in its own way."""
        return Tracks(
            ids=tracks.ids,
            labels=tracks.labels,
            scores=tracks.scores,
            means=tracks.means,
            covariances=tracks.covariances,
            cameras=tracks.cameras,
            image_sizes_px=tracks.image_sizes_px,
            ages_s=tracks.ages_s(timestamp_ns),
            unseen_s=tracks.unseen_s(timestamp_ns),
            features=tracks.features,
            feature_space=self._feature_space,
            reference_frame=self.reference_frame,
            **more,
        )

    def _count(self, **more: int | np.integer) -> None:
        """Add to the counts of these names."""
        self._counts = replace(self._counts, **{name: getattr(self._counts, name) + int(n) for name, n in more.items()})


def feature_kind(detections: Sequence[Detections]) -> tuple[str, int] | None:
    """The network whose features the detections carry, and how many numbers; None without any detection.

    Raises ``UsageError`` when the cameras' features come from different networks.
    """
    kinds = {(found.feature_space, found.features.shape[1]) for found in detections if len(found)}
    if len(kinds) > 1:
        names = ", ".join(f"{space or 'none'} ({size} numbers)" for space, size in sorted(kinds))
        raise UsageError(f"The cameras' features are of different kinds: {names}; use one detector for all cameras.")
    return next(iter(kinds), None)
