"""Keeps what the report needs of each scene of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Literal

import numpy as np

from perception.evaluation.core.records import InstantForecasts
from perception.taxonomy import CLASSES, USUAL_SIZES_LWH_M
from perception.types import BoxTable, ObjectTable, Scene, Tracks

Part = Literal["detections", "tracks", "forecasts"]
"""What a run may find."""


@dataclass(frozen=True)
class RunTables:
    """What a run found: boxes per frame of their camera, forecasts per instant of the recording, times per instant.

    ``objects`` are the tracks on the ground, at each instant those that are seen; None for a run in the image frame.
    ``lacks`` names what a run of another program does not hold: its tables are empty, and it is not measured.
    """

    detections: BoxTable
    tracks: BoxTable
    records: tuple[InstantForecasts, ...]
    stage_ms: tuple[Mapping[str, float], ...]
    objects: ObjectTable | None = None
    lacks: frozenset[Part] = frozenset()

    def of_classes(self, classes: Sequence[str] | None) -> RunTables:
        """The same without boxes and objects of other classes; all for None."""
        if classes is None:
            return self
        labels = [CLASSES.index(name) for name in classes]
        return replace(
            self,
            detections=self.detections[np.isin(self.detections.labels, labels)],
            tracks=self.tracks[np.isin(self.tracks.labels, labels)],
            objects=None if self.objects is None else self.objects[np.isin(self.objects.labels, labels)],
        )


@dataclass
class RunRecorder:
    """Keeps what the report needs of each scene; no images."""

    _detections: list[BoxTable] = field(default_factory=list)
    _tracks: list[BoxTable] = field(default_factory=list)
    _objects: list[ObjectTable] = field(default_factory=list)
    _records: list[InstantForecasts] = field(default_factory=list)
    _stage_ms: list[Mapping[str, float]] = field(default_factory=list)

    def add(self, scene: Scene) -> None:
        """Take one instant. Tracks count where they were seen, forecasts also while their object is hidden."""
        frame_of = {frame.camera: frame.index for frame in scene.frame_set}
        for camera, found in scene.detections.items():
            self._detections.append(
                BoxTable(
                    frame_indices=np.full(len(found), frame_of[camera], np.int64),
                    ids=np.full(len(found), -1, np.int64),
                    labels=found.labels,
                    scores=found.scores,
                    boxes_xyxy_px=found.boxes_xyxy_px,
                    cameras=np.full(len(found), camera),
                )
            )
        self._tracks.append(sighted_boxes(scene.tracks, frame_of))
        if scene.tracks.reference_frame == "ground":
            seen = scene.tracks[scene.tracks.is_seen]
            self._objects.append(objects_on_the_ground(seen, scene.timestamp_ns))
        self._records.append(
            InstantForecasts.from_tracks(
                frame_index=scene.frame_set.index,
                timestamp_ns=scene.timestamp_ns,
                tracks=scene.tracks,
                forecasts=scene.forecasts,
                detected_cameras=scene.detected_cameras,
                ego_motions=scene.ego_motions,
            )
        )
        self._stage_ms.append(scene.stage_ms)

    def tables(self) -> RunTables:
        return RunTables(
            detections=join_tables(self._detections),
            tracks=join_tables(self._tracks),
            records=tuple(self._records),
            stage_ms=tuple(self._stage_ms),
            objects=join_objects(self._objects) if self._objects else None,
        )


def sighted_boxes(tracks: Tracks, frame_of: Mapping[str, int]) -> BoxTable:
    """The boxes in which ``tracks`` are seen now: their sightings in all cameras, else the one box of each.

    ``frame_of`` gives the index of each camera's frame.
    """
    seen = tracks.sightings
    if seen is None:
        own = tracks[tracks.is_seen]
        ids, cameras, boxes_xyxy_px, scores, labels = (
            own.ids, own.cameras, own.boxes_xyxy_px, own.scores, own.labels
        )  # fmt: skip
    else:
        seen = seen[np.isin(seen.track_ids, tracks.ids)]
        order = np.argsort(tracks.ids)
        rows = order[np.searchsorted(tracks.ids, seen.track_ids, sorter=order)]
        ids, cameras, boxes_xyxy_px, scores, labels = (
            seen.track_ids, seen.cameras, seen.boxes_xyxy_px, seen.scores, tracks.labels[rows]
        )  # fmt: skip
    return BoxTable(
        frame_indices=np.array([frame_of[str(camera)] for camera in cameras], np.int64),
        ids=ids,
        labels=labels,
        scores=scores,
        boxes_xyxy_px=boxes_xyxy_px,
        cameras=cameras,
    )


def objects_on_the_ground(tracks: Tracks, timestamp_ns: int) -> ObjectTable:
    """Tracks in the ground frame as objects in the world: lengths are usual ones, widths and heights as they show."""
    states = tracks.means.astype(np.float64)
    lengths_m = np.array(USUAL_SIZES_LWH_M)[tracks.labels, 0] if len(tracks) else np.zeros(0)
    return ObjectTable(
        timestamps_ns=np.full(len(tracks), timestamp_ns, np.int64),
        ids=tracks.ids,
        labels=tracks.labels,
        scores=tracks.scores,
        centres_m=np.concatenate([states[:, :2], states[:, 3:4] / 2], axis=1),
        sizes_lwh_m=np.column_stack([lengths_m, states[:, 2:4]]),
        yaws_rad=tracks.yaws_rad,
        speeds_mps=np.linalg.norm(states[:, 4:6], axis=1),
    )


def join_tables(tables: Sequence[BoxTable]) -> BoxTable:
    """All rows, in the order of ``tables``; visible shares where all of them have some."""
    shares = [table.visible_shares for table in tables if table.visible_shares is not None]
    return BoxTable(
        frame_indices=np.concatenate([np.zeros(0, np.int64), *(table.frame_indices for table in tables)]),
        ids=np.concatenate([np.zeros(0, np.int64), *(table.ids for table in tables)]),
        labels=np.concatenate([np.zeros(0, np.int64), *(table.labels for table in tables)]),
        scores=np.concatenate([np.zeros(0), *(table.scores for table in tables)]),
        boxes_xyxy_px=np.concatenate([np.zeros((0, 4)), *(table.boxes_xyxy_px for table in tables)]),
        cameras=np.concatenate([np.zeros(0, "U1"), *(table.cameras for table in tables)]),
        visible_shares=np.concatenate(shares) if shares and len(shares) == len(tables) else None,
    )


def join_objects(tables: Sequence[ObjectTable]) -> ObjectTable:
    """All rows, in the order of ``tables``, of which there must be one at least."""
    return ObjectTable(
        **{
            column.name: np.concatenate([getattr(table, column.name) for table in tables])
            for column in fields(ObjectTable)
        }
    )
