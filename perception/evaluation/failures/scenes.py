"""The frames that are worth looking at: the best and the worst ones, and an example of each kind of error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perception.errors import counted
from perception.evaluation.core.records import InstantForecasts, WorstForecast
from perception.evaluation.core.table_boxes import ImageKey, heights_px
from perception.evaluation.core.timeline import Timeline
from perception.evaluation.detection.confusion import ClassPairs
from perception.evaluation.failures.classify import MatchedDetections
from perception.evaluation.failures.rank import NEARBY_FRAMES
from perception.evaluation.tracking.image import overlap
from perception.evaluation.tracking.mot_metrics import assigned_rows
from perception.taxonomy import CLASSES
from perception.types import BoxTable

SceneKind = Literal["worst", "best", "wrong class", "identity switch", "forecast"]

MOST_OF_A_KIND = 4
"""So many scenes of each kind are named."""

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class SceneEntry:
    """A frame, ``words`` on what happens there, and the box that it is about, None where it is the whole frame.

    ``weight`` ranks scenes of one kind, the highest first. ``recording`` names one of several recordings, ``file`` the
    image of a data set of single images.
    """

    kind: SceneKind
    words: str
    camera: str
    frame_index: int
    weight: float
    box_xyxy_px: tuple[float, ...] | None = None
    recording: str | None = None
    file: str | None = None

    @property
    def key(self) -> ImageKey:
        """The image."""
        return self.camera, self.frame_index


def foremost(scenes: Sequence[SceneEntry]) -> tuple[SceneEntry, ...]:
    """Of scenes of several recordings the ``MOST_OF_A_KIND`` of each kind, kinds in the order of ``SceneKind``."""
    kinds: tuple[SceneKind, ...] = ("worst", "best", "wrong class", "identity switch", "forecast")
    return tuple(
        scene
        for kind in kinds
        for scene in sorted((one for one in scenes if one.kind == kind), key=lambda one: -one.weight)[:MOST_OF_A_KIND]
    )


def worst_and_best(matched: MatchedDetections, *, min_apart: int = NEARBY_FRAMES) -> Iterator[SceneEntry]:
    """Frames with the most misses and false positives, and those with the most objects found and the fewest errors.

    Two frames of a camera that are less than ``min_apart`` frames apart show the same scene.
    """
    found = _count_by_image(matched.truth[matched.is_found])
    missed = _count_by_image(matched.truth[~matched.is_found])
    wrong = _count_by_image(matched.false_alarms)
    images = sorted(found.keys() | missed.keys() | wrong.keys())
    counts = {key: (found.get(key, 0), missed.get(key, 0), wrong.get(key, 0)) for key in images}
    bad = {key: float(misses + alarms) for key, (_, misses, alarms) in counts.items() if misses + alarms}
    good = {key: float(hits - 2 * (misses + alarms)) for key, (hits, misses, alarms) in counts.items() if hits}
    chosen = _spread_out(bad, min_apart)
    yield from (_whole("worst", key, bad[key], counts[key]) for key in chosen)
    good = {key: worth for key, worth in good.items() if worth > 0 and key not in chosen}
    yield from (_whole("best", key, good[key], counts[key]) for key in _spread_out(good, min_apart))


def wrong_classes(pairs: ClassPairs | None) -> Iterator[SceneEntry]:
    """Of each confusion of two classes the one with the highest score; those that happen most often first."""
    if pairs is None:
        return
    true, found = pairs.labels()
    none = len(CLASSES)
    rows = np.flatnonzero((true != found) & (true < none) & (found < none))
    if not len(rows):
        return
    scores = pairs.detections.scores[pairs.detection_rows[rows]]
    order = rows[np.argsort(-scores, kind="stable")]
    kinds, firsts, counts = np.unique(
        np.stack([true[order], found[order]], axis=1), axis=0, return_index=True, return_counts=True
    )
    for (label, taken_for), first, count in zip(kinds.tolist(), firsts.tolist(), counts.tolist(), strict=True):
        box = pairs.detections[[int(pairs.detection_rows[order[first]])]]
        times = f", {count:,} times in all" if count > 1 else ""
        words = f"{CLASSES[label]} detected as {CLASSES[taken_for]}, score {box.scores[0]:.2f}{times}"
        yield _about("wrong class", words, box, float(count))


def identity_switches(truth: BoxTable, tracks: BoxTable) -> Iterator[SceneEntry]:
    """Where an object goes on under another identity than before, the largest boxes first."""
    for camera in sorted(set(truth.cameras.tolist())):
        gt, found = truth[truth.cameras == camera], tracks[tracks.cameras == camera]
        matched = assigned_rows(gt.frame_indices, found.frame_indices, overlap(gt, found))
        rows = np.flatnonzero(matched >= 0)
        order = rows[np.lexsort((found.frame_indices[rows], gt.ids[matched[rows]]))]
        objects, identities = gt.ids[matched[order]], found.ids[order]
        switches = np.flatnonzero((objects[1:] == objects[:-1]) & (identities[1:] != identities[:-1])) + 1
        for at in switches.tolist():
            box = found[[int(order[at])]]
            name = CLASSES[gt.labels[matched[order[at]]]]
            words = f"{name} goes on as track {identities[at]}, before as track {identities[at - 1]}"
            yield _about("identity switch", words, box, float(heights_px(box.boxes_xyxy_px)[0]))


def worst_forecast_scenes(
    worst: Sequence[WorstForecast], records: Sequence[InstantForecasts], timeline: Timeline, *, unit: str
) -> Iterator[SceneEntry]:
    """The frames in which the ``worst`` forecasts were made, those of tracks that a camera sees there."""
    by_instant = {record.frame_index: record for record in records}
    for one in worst:
        record = by_instant[one.instant]
        row = int(np.flatnonzero(record.track_ids == one.track_id)[0])
        camera = str(record.cameras[row])
        frames = np.flatnonzero(timeline.instant_of_frame.get(camera, np.zeros(0, np.int64)) == one.instant)
        if len(frames):
            number = f"{one.error:.1f} {unit}" if unit == "m" else f"{one.error:.0f} {unit}"
            yield SceneEntry(
                kind="forecast",
                words=f"forecast of track {one.track_id} is {number} off after {one.horizon_s:g} s",
                camera=camera,
                frame_index=int(frames[0]),
                weight=round(one.error, 4),
                box_xyxy_px=_rounded(record.boxes_xyxy_px[row]),
            )


def _count_by_image(table: BoxTable) -> dict[ImageKey, int]:
    keys = np.stack([table.cameras.astype(object), table.frame_indices.astype(object)], axis=1).tolist()
    counts: dict[ImageKey, int] = {}
    for camera, frame in keys:
        counts[camera, frame] = counts.get((camera, frame), 0) + 1
    return counts


def _spread_out(worth: Mapping[ImageKey, float], min_apart: int) -> list[ImageKey]:
    """The keys of the highest worth, no two of them of the same scene."""
    chosen: list[ImageKey] = []
    for camera, frame in sorted(worth, key=lambda key: (-worth[key], key)):
        if all(camera != other or abs(frame - at) >= min_apart for other, at in chosen):
            chosen.append((camera, frame))
        if len(chosen) == MOST_OF_A_KIND:
            break
    return chosen


def _whole(kind: SceneKind, key: ImageKey, weight: float, counts: tuple[int, int, int]) -> SceneEntry:
    found, missed, wrong = counts
    words = f"{found} of {counted(found + missed, 'object')} found, {counted(wrong, 'false positive')}"
    return SceneEntry(kind=kind, words=words, camera=key[0], frame_index=key[1], weight=weight)


def _about(kind: SceneKind, words: str, box: BoxTable, weight: float) -> SceneEntry:
    return SceneEntry(
        kind=kind,
        words=words,
        camera=str(box.cameras[0]),
        frame_index=int(box.frame_indices[0]),
        weight=weight,
        box_xyxy_px=_rounded(box.boxes_xyxy_px[0]),
    )


def _rounded(box_xyxy_px: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(np.round(np.asarray(box_xyxy_px, np.float64), 2).tolist())
