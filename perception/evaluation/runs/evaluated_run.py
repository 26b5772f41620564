"""A run together with the truth of its recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from perception.evaluation.core.ground_truth import GroundScope, GroundTable, true_objects
from perception.evaluation.core.records import InstantForecasts
from perception.evaluation.core.run_tables import RunTables
from perception.evaluation.core.table_boxes import ImageKey
from perception.evaluation.core.timeline import Timeline
from perception.evaluation.runs.gt_tracks_ground import gt_ground_tracks
from perception.evaluation.runs.gt_tracks_image import gt_tracks
from perception.geometry.cameras import Rig
from perception.protocols import Forecaster
from perception.types import BoxTable, IgnoredRegions, ObjectTable, Tracks


@dataclass(frozen=True)
class EvaluatedRun:
    """What a run found in a recording, and the truth of it; made by ``EvaluatedRun.of``.

    ``truth`` and ``timeline`` are of the whole recording, ``by_instant`` is that truth by instants. ``objects`` are the
    true objects in the world where they are known, ``ignored`` the regions of which the truth does not speak, and
    ``notes`` sentences on how it was read. ``gt_records`` are forecasts on ground-truth tracks, None where
    there are none. ``rig`` is that of the recording, where it has one.
    """

    title: str
    run: RunTables
    truth: BoxTable
    by_instant: BoxTable
    timeline: Timeline
    objects: ObjectTable | None = None
    gt_records: tuple[InstantForecasts, ...] | None = None
    ignored: IgnoredRegions = field(default_factory=IgnoredRegions.empty)
    notes: tuple[str, ...] = ()
    rig: Rig | None = None

    @classmethod
    def of(
        cls,
        *,
        title: str,
        run: RunTables,
        truth: BoxTable,
        timeline: Timeline,
        objects: ObjectTable | None = None,
        ignored: IgnoredRegions | None = None,
        notes: Sequence[str] = (),
        rig: Rig | None = None,
    ) -> EvaluatedRun:
        """All but ``run`` are those of the whole recording that it was made on."""
        regions = IgnoredRegions.empty() if ignored is None else ignored
        return cls(
            title,
            run,
            truth,
            timeline.at_instants(truth),
            timeline,
            objects,
            ignored=regions,
            notes=tuple(notes),
            rig=rig,
        )

    @property
    def instants(self) -> list[int]:
        """Those that the run processed, growing."""
        return [record.frame_index for record in self.run.records]

    @property
    def images(self) -> set[ImageKey]:
        """Those of all cameras at the run's instants."""
        return self.timeline.images(self.instants)

    @property
    def detected_images(self) -> set[ImageKey]:
        """Those of them that the detector looked at."""
        chosen = {r.frame_index: r.detected_cameras for r in self.run.records if r.detected_cameras is not None}
        if not chosen:
            return self.images
        return {
            (camera, frame)
            for camera, frame in self.images
            if camera in chosen.get(int(self.timeline.instant_of_frame[camera][frame]), (camera,))
        }

    @property
    def on_the_ground(self) -> bool:
        """The run tracked in metres, and the truth knows where objects are in the world."""
        return self.run.objects is not None and self.objects is not None

    def ground_truth(self, scope: GroundScope) -> GroundTable:
        """The true objects at the run's instants.

        Raises ``ValueError`` without objects in the world, ``UsageError`` as ``true_objects`` does.
        """
        if self.objects is None:
            raise ValueError("objects: expected true objects in the world, got None")
        return true_objects(
            objects=self.objects, truth=self.truth, timeline=self.timeline, instants=self.instants, scope=scope
        )

    def with_gt_tracks(self, forecaster: Forecaster, scope: GroundScope) -> EvaluatedRun:
        """Also with the forecasts of ``forecaster``, which is reset, on the ground-truth tracks at the run's instants.

        Unchanged where the run is on the ground and the ground truth there is unknown.
        """
        if self.run.objects is not None and self.objects is None:
            return self
        forecaster.reset()
        ego_motions = {record.frame_index: record.ego_motions for record in self.run.records}
        records = []
        for instant, tracks in self._true_tracks(scope):
            timestamp_ns = int(self.timeline.timestamps_ns[instant])
            record = InstantForecasts.from_tracks(
                frame_index=instant,
                timestamp_ns=timestamp_ns,
                tracks=tracks,
                forecasts=forecaster.step(
                    tracks, timestamp_ns, self.timeline.vehicle_poses.get(instant), ego_motions.get(instant)
                ),
                ego_motions=ego_motions.get(instant),
            )
            # In the image nobody filtered them: their velocity is the last difference, which is compared anyway.
            records.append(record if self.on_the_ground else replace(record, state_means=None))
        return replace(self, gt_records=tuple(records))

    def _true_tracks(self, scope: GroundScope) -> Iterator[tuple[int, Tracks]]:
        if self.objects is None or not self.on_the_ground:
            return gt_tracks(truth=self.by_instant, timeline=self.timeline, instants=self.instants)
        return gt_ground_tracks(
            objects=self.objects,
            truth=self.ground_truth(scope),
            timestamps_ns=self.timeline.timestamps_ns,
            instants=self.instants,
            max_distance_m=scope.max_distance_m,
        )
