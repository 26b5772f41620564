"""The parts that two runs are compared on: recordings, or segments of one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from perception.errors import UsageError
from perception.evaluation.core.table_boxes import in_images
from perception.evaluation.runs.evaluated_run import EvaluatedRun
from perception.evaluation.runs.merge_sequences import merge_runs


@dataclass(frozen=True)
class Units:
    """``runs`` has, for each of the compared runs, its parts in the order of ``names``; ``kind`` states what they are.

    ``whole`` has each of the runs in one piece. ``left_out`` counts the instants that not all of them have.
    """

    kind: str
    names: tuple[str, ...]
    runs: tuple[tuple[EvaluatedRun, ...], ...]
    whole: tuple[EvaluatedRun, ...]
    left_out: int

    @property
    def left_out_images(self) -> int:
        """Of the instants that all have, the images at which not all of the detectors looked."""
        return len(self.whole[0].images) - len(self.whole[0].detected_images)


def make_units(runs: Sequence[Mapping[str, EvaluatedRun]], *, segment_s: float) -> Units:
    """The parts that all ``runs`` have; each is given by recording.

    One recording is cut into segments of ``segment_s``. Raises ``UsageError`` where the runs share no instant.
    """
    shared = [name for name in runs[0] if all(name in run for run in runs)]
    if not shared:
        raise UsageError("The runs are of different recordings; compare runs over the same ones.")
    parts: list[tuple[EvaluatedRun, ...]] = []
    left_out = 0
    for name in shared:
        instants = [set(run[name].instants) for run in runs]
        common = set.intersection(*instants)
        left_out += len(set.union(*instants) - common)
        if not common:
            raise UsageError(f"{name}: the runs share no instant; compare runs with the same stride.")
        parts.append(_alike([part_of(run[name], common) for run in runs]))
    by_run = tuple(zip(*parts, strict=True))
    if len(shared) > 1:
        whole = tuple(merge_runs(of_run, title=of_run[0].title) for of_run in by_run)
        return Units("recordings", tuple(shared), by_run, whole, left_out)
    segments = [_segments(of_run[0], segment_s) for of_run in by_run]
    return Units(
        kind=f"segments of {segment_s:g} s",
        names=tuple(segments[0]),
        runs=tuple(tuple(of_run.values()) for of_run in segments),
        whole=parts[0],
        left_out=left_out,
    )


def part_of(evaluated: EvaluatedRun, instants: Collection[int]) -> EvaluatedRun:
    """The run at some of its ``instants``; the truth stays whole, for futures reach beyond them."""
    wanted = sorted(set(instants))
    images = evaluated.timeline.images(wanted)
    run, times_ns = evaluated.run, evaluated.timeline.timestamps_ns[wanted]
    return replace(
        evaluated,
        run=replace(
            run,
            detections=run.detections[in_images(run.detections, images)],
            tracks=run.tracks[in_images(run.tracks, images)],
            records=tuple(record for record in run.records if record.frame_index in set(wanted)),
            objects=None if run.objects is None else run.objects[np.isin(run.objects.timestamps_ns, times_ns)],
            stage_ms=(),
        ),
    )


def _alike(runs: Sequence[EvaluatedRun]) -> tuple[EvaluatedRun, ...]:
    """The runs with those detections alone that are of images at which all of their detectors looked."""
    if all(record.detected_cameras is None for run in runs for record in run.run.records):
        return tuple(runs)
    images = set.intersection(*(run.detected_images for run in runs))
    cameras: dict[int, list[str]] = {instant: [] for instant in runs[0].instants}
    for camera, frame in sorted(images):
        cameras[int(runs[0].timeline.instant_of_frame[camera][frame])].append(camera)
    return tuple(
        replace(
            run,
            run=replace(
                run.run,
                records=tuple(
                    replace(record, detected_cameras=tuple(cameras[record.frame_index])) for record in run.run.records
                ),
            ),
        )
        for run in runs
    )


def _segments(evaluated: EvaluatedRun, segment_s: float) -> dict[str, EvaluatedRun]:
    """By the seconds that they begin and end at; the last, shorter one joins the one before."""
    instants = np.array(evaluated.instants)
    seconds = (evaluated.timeline.timestamps_ns[instants] - evaluated.timeline.timestamps_ns[instants[0]]) * 1e-9
    number = np.floor(seconds / segment_s + 1e-9).astype(int)
    last = max(int(np.floor((seconds[-1] + np.diff(seconds, append=seconds[-1]).max()) / segment_s + 1e-9)) - 1, 0)
    number = np.minimum(number, last)
    return {
        f"{segment_s * index:g}-{segment_s * (index + 1):g} s": part_of(evaluated, instants[number == index].tolist())
        for index in np.unique(number).tolist()
    }
