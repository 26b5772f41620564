"""Which tracker a name opens, and in which frame."""

from __future__ import annotations

import pytest
from support.ground_drive import six_cameras
from support.moving_boxes import BoxDetector

from perception import plugins
from perception.errors import UsageError
from perception.plugins import TrackerRequest
from perception.protocols import Tracker
from perception.tracking import GroundTracker, ImageTracker, open_tracker

DETECTOR = BoxDetector()
RIG = six_cameras()


def test_auto_takes_the_ground_where_there_is_a_rig() -> None:
    assert isinstance(open_tracker("auto", detector=DETECTOR).tracker, ImageTracker)
    assert isinstance(open_tracker("auto", detector=DETECTOR, rig=RIG).tracker, GroundTracker)
    assert isinstance(open_tracker("auto", detector=DETECTOR, rig=RIG, frame="image").tracker, ImageTracker)
    assert isinstance(open_tracker("image", detector=DETECTOR, rig=RIG).tracker, ImageTracker)
    tracker, reason, _ = open_tracker("ground", detector=DETECTOR, rig=RIG)
    assert tracker.reference_frame == "ground" and "across 6 calibrated cameras" in reason


def test_what_contradicts_itself_is_refused() -> None:
    for name, frame in (("auto", "ground"), ("ground", "auto")):
        with pytest.raises(UsageError, match="ground: the cameras are not calibrated"):
            open_tracker(name, detector=DETECTOR, frame=frame)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^frame ground: `tracker` image tracks in the image frame"):
        open_tracker("image", detector=DETECTOR, rig=RIG, frame="ground")
    with pytest.raises(UsageError, match=r"^tracker grund: .*did you mean ground"):
        open_tracker("grund", detector=DETECTOR)


def test_a_tracker_of_others_learns_what_it_will_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[TrackerRequest] = []

    def factory(request: TrackerRequest) -> Tracker:
        asked.append(request)
        return ImageTracker()

    monkeypatch.setattr(plugins, "_find", lambda kind, spec: (factory, "fast"))
    tracker, reason, settings = open_tracker("theirs:fast", detector=DETECTOR, rig=RIG)
    assert isinstance(tracker, ImageTracker) and (reason, settings) == ("Tracker: theirs:fast, as asked.", None)
    assert asked == [TrackerRequest(argument="fast", detector=DETECTOR, rig=RIG, frame="auto")]
    with pytest.raises(UsageError, match="tracks in the image frame"):
        open_tracker("theirs:fast", detector=DETECTOR, rig=RIG, frame="ground")
