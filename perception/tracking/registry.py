"""From what the user names to a tracker: one of ours, a plug-in's tracker, or a factory.

How to add a tracker of one's own, without a change here, is described in ``perception/plugins.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from perception.errors import UsageError
from perception.geometry.cameras import Rig
from perception.plugins import TrackerRequest, open_tracker_plugin, unknown_name
from perception.protocols import Detector, Tracker
from perception.tracking.ground.settings import GroundSettings
from perception.tracking.ground.tracker import GroundTracker
from perception.tracking.image.settings import TrackerSettings
from perception.tracking.image.tracker import ImageTracker

FrameChoice = Literal["auto", "image", "ground"]
AUTO = "auto"


class OpenedTracker(NamedTuple):
    """A tracker, and one sentence on which was taken and why."""

    tracker: Tracker
    reason: str


def open_tracker(
    name: str,
    *,
    detector: Detector,
    rig: Rig | None = None,
    frame: FrameChoice = "auto",
    detect_interval: int = 1,
) -> OpenedTracker:
    """A tracker of what ``detector`` finds, in cameras that ``rig`` calibrates, or in uncalibrated ones.

    ``name``: "auto" (the one of ``frame``; without it, the ground where there is a rig), "image", "ground", the name of
    a plug-in's tracker, or "package.module:factory" (see ``perception.plugins``). ``frame`` is the reference
    frame that is asked for. ``detector`` looks at every ``detect_interval``-th frame of a camera. Raises ``UsageError``
    for an unknown name, for the ground without a rig, and for a tracker of another frame.
    """
    if frame == "ground" and rig is None:
        raise UsageError("the cameras are not calibrated; give their poses with a `rig`.", field="frame", value=frame)
    if name in _BUILT_IN:
        opened = _BUILT_IN[name](detector, rig, frame, detect_interval)
    else:
        found = open_tracker_plugin(
            name, lambda argument: TrackerRequest(argument=argument, detector=detector, rig=rig, frame=frame)
        )
        if found is None:
            raise unknown_name("tracker", name, _BUILT_IN)
        opened = OpenedTracker(found, f"Tracker: {name}, as asked.")
    if frame not in ("auto", opened.tracker.reference_frame):
        raise UsageError(
            f"`tracker` {name} tracks in the {opened.tracker.reference_frame} frame; leave one of the two away.",
            field="frame",
            value=frame,
        )
    return opened


def _open_suitable(detector: Detector, rig: Rig | None, frame: FrameChoice, detect_interval: int) -> OpenedTracker:
    if frame == "image" or rig is None:
        why = "as asked" if frame == "image" else "because the cameras are not calibrated"
        return OpenedTracker(_image_tracker(detector, detect_interval), f"Tracker: in each image, {why}.")
    tracker = GroundTracker(rig, GroundSettings.for_detector(detector, detect_interval=detect_interval))
    return OpenedTracker(tracker, f"Tracker: on the ground, in metres, across {len(rig)} calibrated cameras.")


def _open_image(detector: Detector, rig: Rig | None, frame: FrameChoice, detect_interval: int) -> OpenedTracker:
    return OpenedTracker(_image_tracker(detector, detect_interval), "Tracker: in each image, as asked.")


def _open_ground(detector: Detector, rig: Rig | None, frame: FrameChoice, detect_interval: int) -> OpenedTracker:
    if rig is None:
        raise UsageError(
            "the cameras are not calibrated; give their poses with a `rig`.", field="tracker", value="ground"
        )
    return _open_suitable(detector, rig, "ground", detect_interval)


def _image_tracker(detector: Detector, detect_interval: int) -> ImageTracker:
    return ImageTracker(TrackerSettings.for_detector(detector, detect_interval=detect_interval))


_BUILT_IN: Mapping[str, Callable[[Detector, Rig | None, FrameChoice, int], OpenedTracker]] = {
    AUTO: _open_suitable,
    "image": _open_image,
    "ground": _open_ground,
}
