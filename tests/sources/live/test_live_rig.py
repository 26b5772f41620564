import numpy as np
import pytest
from support.media import SIZE_PX, numbered_image
from support.mjpeg_server import MjpegServer

from perception.errors import PerceptionError, UsageError
from perception.geometry.cameras import Camera, Rig
from perception.sources import open_source
from perception.sources import registry as opening


def rig_of(*names: str, size_px: tuple[int, int] = SIZE_PX) -> Rig:
    forward = np.array([[0, 0, 1, 2.0], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]])
    intrinsics = np.array([[100, 0, size_px[0] / 2], [0, 100, size_px[1] / 2], [0, 0, 1]])
    return Rig({name: Camera(name, size_px, intrinsics, forward) for name in names})


class FakeWebcam:
    """Sends ``sent`` pictures, then ends; None is a damaged one."""

    rate_fps = 50.0
    unreadable = 0
    stale = 0
    sent: tuple[np.ndarray | None, ...] = ()
    closed: list[bool]

    def __init__(self, index: int) -> None:
        pass

    def frames(self):  # type: ignore[no-untyped-def]
        for image in self.sent:
            yield lambda image=image: image

    def close(self) -> None:
        self.closed.append(True)


@pytest.fixture
def webcam(monkeypatch: pytest.MonkeyPatch) -> type[FakeWebcam]:
    monkeypatch.setattr(opening, "WebcamReader", FakeWebcam)
    monkeypatch.setattr(FakeWebcam, "closed", [], raising=False)
    monkeypatch.setattr(FakeWebcam, "sent", (None, numbered_image(1), numbered_image(2)))
    return FakeWebcam


def test_a_webcam_takes_the_only_camera_of_a_rig_and_its_size(webcam: type[FakeWebcam]) -> None:
    source = open_source(["0"], rig=rig_of("webcam", size_px=(192, 128)))
    assert source.rig is not None and source.rig.cameras["webcam0"].size_px == SIZE_PX
    assert source.rig.cameras["webcam0"].intrinsics[0, 0] == 50
    # Nothing was taken away by looking at the size.
    assert [frame_set.frames[0].image[0, 0, 0] for frame_set in source] == [10, 20]
    assert source.warnings == [
        "The rig's cameras were taken in their order: webcam0 is webcam.",
        "webcam0: 1 damaged frame left out.",
    ]
    source.close()


def test_a_live_camera_of_another_shape_is_refused_and_closed(webcam: type[FakeWebcam]) -> None:
    with pytest.raises(UsageError, match=r"camera webcam0: .*for 64x64 pixels, the images have 96x64"):
        open_source(["0"], rig=rig_of("webcam0", size_px=(64, 64)))
    assert webcam.closed == [True]


def test_a_rig_of_other_cameras_closes_what_was_opened(webcam: type[FakeWebcam]) -> None:
    with pytest.raises(UsageError, match="the rig has rear, the source has not"):
        open_source(["0"], rig=rig_of("webcam0", "rear"))
    assert webcam.closed == [True]


def test_a_picture_of_another_size_later_is_refused(webcam: type[FakeWebcam], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webcam, "sent", (numbered_image(1), numbered_image(2, size_px=(64, 64))))
    source = open_source(["0"], rig=rig_of("webcam0"))
    with pytest.raises(UsageError, match="camera webcam0, image 1: has 64x64 pixels, the images before had 96x64"):
        list(source)
    source.close()


def test_a_camera_that_sends_nothing_readable_is_an_error(
    webcam: type[FakeWebcam], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webcam, "sent", (None,))
    with pytest.raises(PerceptionError, match="webcam0: sends no picture that can be read"):
        open_source(["0"], rig=rig_of("webcam0"), connect_timeout_s=60)


def test_two_network_cameras_are_a_rig() -> None:
    images = [numbered_image(n) for n in range(5)]
    with MjpegServer(images) as left, MjpegServer(images) as right:
        source = open_source([left.url, right.url], rig=rig_of("left", "right"))
        assert source.rig is not None and list(source.rig.cameras) == list(source.cameras)
        first = next(iter(source))
        source.close()
    assert {frame.size_px for frame in first} == {SIZE_PX}
