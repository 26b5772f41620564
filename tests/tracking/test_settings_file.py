"""Settings of a tracker from a file: what it changes, what stays, and what it may not say."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.ground_drive import six_cameras
from support.moving_boxes import BoxDetector

from perception import plugins
from perception.errors import UsageError
from perception.tracking import GroundSettings, ImageTracker, OpenedTracker, TrackerSettings, open_tracker


class ProbabilityDetector(BoxDetector):
    """Its scores are probabilities, for which other thresholds hold."""

    is_calibrated = True


def opened(folder: Path, text: str, *, on_ground: bool = False, detect_interval: int = 1) -> OpenedTracker:
    path = folder / "tracker.yaml"
    path.write_text(text, encoding="utf-8")
    rig = six_cameras() if on_ground else None
    return open_tracker(
        "auto", detector=ProbabilityDetector(), rig=rig, tracker_config=path, detect_interval=detect_interval
    )


def test_what_the_file_states_wins_and_the_rest_suits_the_detector(tmp_path: Path) -> None:
    tracker, reason, settings = opened(
        tmp_path, "max_unseen_s: 2\nnoise:\n  initial_speed_std: 0.9\n", detect_interval=3
    )
    assert isinstance(tracker, ImageTracker)
    suited = TrackerSettings.for_detector(ProbabilityDetector(), detect_interval=3)
    noise = suited.noise.model_copy(update={"initial_speed_std": 0.9})
    assert tracker.settings == suited.model_copy(update={"max_unseen_s": 2.0, "noise": noise})
    assert settings == tracker.settings.model_dump(mode="json")
    assert reason.endswith(f"Settings from {tmp_path / 'tracker.yaml'}: max_unseen_s 2, noise.initial_speed_std 0.9.")


def test_on_the_ground_there_are_other_names(tmp_path: Path) -> None:
    settings = opened(tmp_path, "road:\n  flat_share: 0.5\n", on_ground=True).settings
    assert settings is not None
    assert GroundSettings.model_validate(settings).road.flat_share == 0.5


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    _, reason, settings = opened(tmp_path, "# nothing\n")
    assert settings == TrackerSettings.for_detector(ProbabilityDetector()).model_dump(mode="json")
    assert reason == "Tracker: in each image, because the cameras are not calibrated."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("max_unsen_s: 2", "unknown key max_unsen_s; did you mean max_unseen_s."),
        ("noise: {initial_sped_std: 2}", "unknown key noise.initial_sped_std; did you mean initial_speed_std."),
        ("zzz: 2", "unknown key zzz; known are strong_score,"),
        ("max_unseen_s: -1", "max_unseen_s -1: expected greater than or equal to 0; correct it."),
        ("max_unseen_s: soon", "max_unseen_s soon: expected a valid number"),
        ("min_hits: .nan", "min_hits nan: expected a finite number"),
        ("noise: 3", "noise: expected keys of its own"),
        ("strong_score: 0.1", "weak_score (0.2) must not exceed strong_score (0.1); correct one of them."),
        ("detect_interval: 2", "detect_interval is no setting here; give it as `detect_interval`."),
        ("- max_unseen_s", "expected lines of the form 'max_unseen_s: 2'"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        opened(tmp_path, text)
    assert caught.value.message.startswith(sentence)
    assert str(caught.value).startswith(f"tracker_config {tmp_path / 'tracker.yaml'}: ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yaml: cannot be read"):
        open_tracker("auto", detector=BoxDetector(), tracker_config=tmp_path / "nowhere.yaml")


def test_a_tracker_of_others_takes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "_find", lambda kind, spec: (lambda request: ImageTracker(), ""))
    path = tmp_path / "tracker.yaml"
    path.write_text("max_unseen_s: 2\n", encoding="utf-8")
    with pytest.raises(UsageError, match="`tracker` theirs has settings of its own"):
        open_tracker("theirs", detector=BoxDetector(), tracker_config=path)
