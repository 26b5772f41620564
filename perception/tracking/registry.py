"""From what the user names to a tracker: one of ours, a plug-in's tracker, or a factory.

How to add a tracker of one's own, without a change here, is described in ``perception/plugins.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from perception.errors import UsageError, counted
from perception.geometry.cameras import Rig
from perception.plugins import TrackerRequest, open_tracker_plugin, unknown_name
from perception.protocols import Detector, Tracker
from perception.tracking.ground.settings import GroundSettings
from perception.tracking.ground.tracker import GroundTracker
from perception.tracking.image.settings import TrackerSettings
from perception.tracking.image.tracker import ImageTracker
from perception.tracking.settings_file import SettingsFile

FrameChoice = Literal["auto", "image", "ground"]
AUTO = "auto"


class OpenedTracker(NamedTuple):
    """A tracker, one sentence on which was taken and why, and all its settings by name, where it is one of ours."""

    tracker: Tracker
    reason: str
    settings: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class _Wanted:
    """What a tracker is opened for."""

    detector: Detector
    rig: Rig | None
    frame: FrameChoice
    detect_interval: int
    file: SettingsFile


def open_tracker(
    name: str,
    *,
    detector: Detector,
    rig: Rig | None = None,
    frame: FrameChoice = "auto",
    detect_interval: int = 1,
    tracker_config: Path | None = None,
) -> OpenedTracker:
    """A tracker of what ``detector`` finds, in cameras that ``rig`` calibrates, or in uncalibrated ones.

    ``name``: "auto" (the one of ``frame``; without it, the ground where there is a rig), "image", "ground", the name of
    a plug-in's tracker, or "package.module:factory" (see ``perception.plugins``). ``frame`` is the reference
    frame that is asked for. ``detector`` looks at every ``detect_interval``-th frame of a camera. ``tracker_config`` is
    a YAML file with the settings that differ, of ``TrackerSettings`` or ``GroundSettings``. Raises ``UsageError`` for
    an unknown name or setting, for the ground without a rig, and for a tracker of another frame.
    """
    file = SettingsFile.read(tracker_config)
    if frame == "ground" and rig is None:
        raise UsageError("the cameras are not calibrated; give their poses with a `rig`.", field="frame", value=frame)
    if name in _BUILT_IN:
        opened = _BUILT_IN[name](_Wanted(detector, rig, frame, detect_interval, file))
    else:
        found = open_tracker_plugin(
            name, lambda argument: TrackerRequest(argument=argument, detector=detector, rig=rig, frame=frame)
        )
        if found is None:
            raise unknown_name("tracker", name, _BUILT_IN)
        if tracker_config is not None:
            raise UsageError(
                f"`tracker` {name} has settings of its own; leave it out.", field="tracker_config", value=tracker_config
            )
        opened = OpenedTracker(found, f"Tracker: {name}, as asked.")
    if frame not in ("auto", opened.tracker.reference_frame):
        raise UsageError(
            f"`tracker` {name} tracks in the {opened.tracker.reference_frame} frame; leave one of the two away.",
            field="frame",
            value=frame,
        )
    return opened


def _open_suitable(wanted: _Wanted) -> OpenedTracker:
    if wanted.frame == "image":
        return _image_tracker(wanted, "as asked")
    if wanted.rig is None:
        return _image_tracker(wanted, "because the cameras are not calibrated")
    return _ground_tracker(wanted, wanted.rig)


def _open_image(wanted: _Wanted) -> OpenedTracker:
    return _image_tracker(wanted, "as asked")


def _open_ground(wanted: _Wanted) -> OpenedTracker:
    if wanted.rig is None:
        raise UsageError(
            "the cameras are not calibrated; give their poses with a `rig`.", field="tracker", value="ground"
        )
    return _ground_tracker(wanted, wanted.rig)


def _image_tracker(wanted: _Wanted, why: str) -> OpenedTracker:
    settings = wanted.file.settings(TrackerSettings, wanted.detector, detect_interval=wanted.detect_interval)
    return OpenedTracker(
        ImageTracker(settings), f"Tracker: in each image, {why}.{wanted.file.remark}", settings.model_dump(mode="json")
    )


def _ground_tracker(wanted: _Wanted, rig: Rig) -> OpenedTracker:
    settings = wanted.file.settings(GroundSettings, wanted.detector, detect_interval=wanted.detect_interval)
    return OpenedTracker(
        GroundTracker(rig, settings),
        f"Tracker: on the ground, in metres, across {counted(len(rig), 'calibrated camera')}.{wanted.file.remark}",
        settings.model_dump(mode="json"),
    )


_BUILT_IN: Mapping[str, Callable[[_Wanted], OpenedTracker]] = {
    AUTO: _open_suitable,
    "image": _open_image,
    "ground": _open_ground,
}
