import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.live import PATIENT, ScriptedReader, assert_accounted, frames_of, live_source, opener_of, take
from support.media import SIZE_PX, number_of, numbered_image, write_video
from support.mjpeg_server import MjpegServer

from perception.errors import PerceptionError, UsageError
from perception.geometry.cameras import Camera, Rig
from perception.sources import open_source
from perception.sources.live import openers
from perception.sources.live.source import LiveSource


def rig_of(*names: str, size_px: tuple[int, int] = SIZE_PX) -> Rig:
    forward = np.array([[0, 0, 1, 2.0], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]])
    intrinsics = np.array([[100, 0, size_px[0] / 2], [0, 100, size_px[1] / 2], [0, 0, 1]])
    return Rig({name: Camera(name, size_px, intrinsics, forward) for name in names})


@pytest.fixture
def webcam(monkeypatch: pytest.MonkeyPatch) -> ScriptedReader:
    """The webcam of this machine: one damaged picture and two good ones."""
    reader = ScriptedReader()
    monkeypatch.setattr(openers, "WebcamReader", lambda index: reader)
    return reader


def test_a_webcam_takes_the_only_camera_of_a_rig_and_its_size(webcam: ScriptedReader) -> None:
    webcam.put(None, 1, 2)
    source = open_source(["0"], rig=rig_of("webcam", size_px=(192, 128)), live=PATIENT)
    assert source.rig is not None and source.rig.cameras["webcam0"].size_px == SIZE_PX
    assert source.rig.cameras["webcam0"].intrinsics[0, 0] == 50
    # Nothing was taken away by looking at the size.
    assert [frame_set.frames[0].image[0, 0, 0] for frame_set in take(source, 2)] == [10, 20]
    assert source.warnings == [
        "The rig's cameras were taken in their order: webcam0 is webcam.",
        "webcam0: 1 damaged frame left out.",
    ]


def test_a_live_camera_of_another_shape_is_refused_at_the_start_and_closed(webcam: ScriptedReader) -> None:
    webcam.put(1)
    with pytest.raises(UsageError, match=r"camera webcam0: .*for 64x64 pixels, the images have 96x64"):
        open_source(["0"], rig=rig_of("webcam0", size_px=(64, 64)), live=PATIENT)
    assert webcam.is_closed.wait(60)


def test_a_rig_of_other_cameras_closes_what_was_opened(webcam: ScriptedReader) -> None:
    with pytest.raises(UsageError, match="the rig has left, rear, the source has not"):
        open_source(["0"], rig=rig_of("left", "rear"))
    assert webcam.is_closed.wait(60)


def test_a_rig_may_have_cameras_that_come_later() -> None:
    front, rear = ScriptedReader(), ScriptedReader()
    source = live_source(opener_of("front", front), rig=rig_of("front", "rear"))
    with pytest.raises(UsageError, match="camera left: is not in the rig"):
        source.add(opener_of("left"))
    source.add(opener_of("rear", rear))
    rear.send(1)
    assert [frame_set.frames[0].camera for frame_set in take(source, 1)] == ["rear"]


def test_another_size_scales_the_calibration_and_another_shape_leaves_that_camera_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader, other = ScriptedReader(), ScriptedReader()
    source = live_source(opener_of("cam", reader), opener_of("other", other), rig=rig_of("cam", "other"))
    frames = iter(source)
    reader.send(1)
    assert next(frames).frames[0].size_px == SIZE_PX
    reader.send(2, size_px=(192, 128))
    assert next(frames).frames[0].size_px == (192, 128)
    assert source.rig is not None and source.rig.cameras["cam"].intrinsics[0, 0] == 200
    reader.send(3, 4, size_px=(64, 64))
    other.send(5)
    assert next(frames).frames[0].camera == "other"
    reader.send(6)
    found = next(frames).frames[0]
    assert (found.camera, number_of(found.image)) == ("cam", 6)
    source.close()
    assert frames_of(source, "cam")["misfit"] == 2
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1 and "cam: is left out until its images have another shape" in warnings[0]
    assert_accounted(source)


def test_a_camera_that_sends_nothing_readable_is_an_error_where_it_may_not_be_missing(webcam: ScriptedReader) -> None:
    webcam.put(None)
    settings = replace(PATIENT, connect_timeout_s=0.3)
    with pytest.raises(PerceptionError, match="webcam0: sends no picture that can be read"):
        open_source(["0"], rig=rig_of("webcam0"), live=settings)


def test_two_network_cameras_are_a_rig_by_their_names() -> None:
    images = [numbered_image(n) for n in range(5)]
    with MjpegServer(images) as left, MjpegServer(images) as right:
        # In the other order than in the rig, and both on one host.
        source = open_source([f"right={right.url}", f"left={left.url}"], rig=rig_of("left", "right"), live=PATIENT)
        assert source.rig is not None and source.cameras == ("right", "left")
        (first,) = take(source, 1)
    assert source.warnings == []
    assert {frame.size_px for frame in first} == {SIZE_PX}


def test_recordings_are_played_at_their_own_speed_beside_cameras(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [numbered_image(n) for n in range(5)])
    with MjpegServer([numbered_image(n) for n in range(5)], hold_open=True) as server:
        with pytest.raises(UsageError, match=r"cannot be mixed.*`realtime`"):
            open_source([str(path), server.url])
        source = open_source([f"film={path}", f"cam={server.url}"], realtime=True, live=PATIENT)
        assert source.is_live and set(source.cameras) == {"cam", "film"}
        seen = {frame.camera for frame_set in take(source, 6) for frame in frame_set}
    assert seen == {"cam", "film"}


def test_a_run_of_recordings_alone_ends_with_them(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [numbered_image(n) for n in range(5)])
    source = open_source([str(path)], realtime=True, live=PATIENT)
    sets = list(source)
    assert [number_of(frame_set.frames[0].image) for frame_set in sets] == list(range(5))
    assert isinstance(source, LiveSource) and source.status().cameras[0].state == "ended"
    gaps_s = np.diff([frame_set.timestamp_ns for frame_set in sets]) / 1e9
    assert np.allclose(gaps_s, 0.1, atol=0.01)


def test_names_of_cameras(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a=b.mp4", [numbered_image(n) for n in range(2)])
    assert open_source([str(path)]).cameras == ("a=b",)
    assert open_source([f"front={path}"]).cameras == ("front",)
    with pytest.raises(UsageError, match="two cameras are called x"):
        open_source([f"x={path}", f"x={path}"])
