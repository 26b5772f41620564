"""What the ground tracker sees at an instant: the detections of all cameras, lifted into the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from perception.arrays import FloatArray, IntArray, StructOfArrays
from perception.errors import UsageError
from perception.geometry.cameras import Rig
from perception.state_layout import POSITION
from perception.tracking.common.track_state import GROUP_OF_LABEL, label_votes
from perception.tracking.ground.ego_pose import PlanarPose
from perception.tracking.ground.lifting import Views, lift, road_samples
from perception.tracking.ground.road_plane import RoadEstimator
from perception.tracking.ground.settings import GroundSettings
from perception.types import Detections


class RigViews:
    """The rig's cameras at the sizes that their images have now."""

    def __init__(self, rig: Rig) -> None:
        self.names = tuple(rig.cameras)
        self._cameras = list(rig.cameras.values())
        self._views: Views | None = None

    def of(self, detections: Sequence[Detections]) -> tuple[Views, IntArray]:
        """All cameras as rows, in the rig's order, and the row of each ``Detections``.

        Raises ``UsageError`` naming a camera that the rig does not have, or whose images have another shape.
        """
        rows = []
        for found in detections:
            if found.camera not in self.names:
                raise UsageError(
                    f"The rig has no camera {found.camera}, only {', '.join(self.names)}: "
                    "name the cameras of the recording as in its rig, or add the camera there."
                )
            row = self.names.index(found.camera)
            rows.append(row)
            if self._cameras[row].size_px != found.image_size_px:
                try:
                    self._cameras[row] = self._cameras[row].resized(found.image_size_px)
                except ValueError as error:
                    raise UsageError(f"Camera {found.camera}: {error}; calibrate it for these images.") from error
                self._views = None
        if self._views is None:
            self._views = Views.of(self._cameras)
        return self._views, np.array(rows, np.int64)


@dataclass(frozen=True, kw_only=True)
class GroundObservations(StructOfArrays):
    """The detections of one instant, of all cameras, in the world: ``measured`` (M, 4) is the centre's x, y, shown
    width and height, ``jitters`` (M, 4, 4) and ``lasting`` (M, 4, 2) its errors as in ``Lifted``.

    ``cameras`` (M,) are rows of the rig's views.
    """

    boxes_xyxy_px: FloatArray
    measured: FloatArray
    jitters: FloatArray
    lasting: FloatArray
    scores: FloatArray
    labels: IntArray
    features: FloatArray
    cameras: IntArray

    @property
    def positions(self) -> FloatArray:
        """(M, 2): the centres' x, y."""
        return self.measured[:, POSITION]

    @property
    def position_covariances(self) -> FloatArray:
        """(M, 2, 2): all errors of the centres."""
        lasting = self.lasting[:, POSITION]
        covariances: FloatArray = self.jitters[:, POSITION, POSITION] + lasting @ lasting.transpose(0, 2, 1)
        return covariances

    @property
    def groups(self) -> IntArray:
        return GROUP_OF_LABEL[self.labels]

    @property
    def label_votes(self) -> FloatArray:
        """(M, 6): each observation's score, in the column of its label."""
        return label_votes(self.labels, self.scores)


class LeftOut(NamedTuple):
    """How many detections cannot be tracked."""

    empty_boxes: int
    weak_detections: int


def observe(
    detections: Sequence[Detections],
    cameras: IntArray,
    views: Views,
    pose: PlanarPose,
    road: RoadEstimator,
    settings: GroundSettings,
    *,
    feature_size: int,
    dt_s: float,
) -> tuple[GroundObservations, LeftOut]:
    """The detections that can be tracked, on the road as it is after them; ``cameras`` are their rows of ``views``.

    Their features have ``feature_size`` numbers where there are any; ``dt_s`` is the time since the last instant.
    """
    found = [part for part in detections if len(part)]
    boxes_px = np.concatenate([np.zeros((0, 4)), *(part.boxes_xyxy_px for part in found)])
    scores = np.concatenate([np.zeros(0, np.float32), *(part.scores for part in found)])
    labels = np.concatenate([np.zeros(0, np.int64), *(part.labels for part in found)])
    features = np.concatenate([np.zeros((0, feature_size), np.float32), *(part.features for part in found)])
    has_area = (boxes_px[:, 2:] > boxes_px[:, :2]).all(axis=1)
    kept = has_area & (scores >= settings.weak_score)
    cameras = np.repeat(cameras, [len(part) for part in detections])[kept]
    boxes_px, scores, labels, features = boxes_px[kept], scores[kept], labels[kept], features[kept]
    is_strong = scores >= settings.strong_score
    plane = road.update(
        road_samples(boxes_px[is_strong], labels[is_strong], views[cameras[is_strong]], settings.lifting), dt_s
    )
    lifted = lift(boxes_px, labels, views[cameras], plane, settings.lifting)
    measured, jitters, lasting = pose.to_world(lifted.measured, lifted.jitters, lifted.lasting)
    observed = GroundObservations(
        boxes_xyxy_px=boxes_px,
        measured=measured,
        jitters=jitters,
        lasting=lasting,
        scores=scores,
        labels=labels,
        features=features,
        cameras=cameras,
    )
    return observed, LeftOut(int((~has_area).sum()), int((has_area & ~kept).sum()))
