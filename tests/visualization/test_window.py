"""The window, with OpenCV's screen replaced by a recorder: the tests run where there is none."""

import subprocess

import cv2
import numpy as np
import pytest

from perception.visualization import Window
from perception.visualization import window as module


class FakeScreen:
    """Stands in for the functions of OpenCV that need a screen."""

    def __init__(self) -> None:
        self.shown: list[np.ndarray] = []
        self.key = -1
        self.visible = 1.0

    def install(self, monkeypatch) -> None:
        monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "resizeWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "imshow", lambda _, image: self.shown.append(image))
        monkeypatch.setattr(cv2, "waitKey", lambda _: self.key)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: self.visible)
        monkeypatch.setattr(module, "unavailable_reason", lambda: "")


@pytest.fixture
def screen(monkeypatch):
    fake = FakeScreen()
    fake.install(monkeypatch)
    return fake


def test_pictures_reach_opencv_as_bgr(screen):
    window, reason = Window.open("demo")
    assert (window is not None, reason) == (True, "")
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[..., 0] = 200
    assert window.show(picture)
    assert screen.shown[0][0, 0].tolist() == [0, 0, 200]


@pytest.mark.parametrize("key", [ord("q"), ord("Q"), 27])
def test_keys_that_end(screen, key):
    window, _ = Window.open("demo")
    screen.key = key
    assert not window.show(np.zeros((4, 6, 3), np.uint8))


def test_other_keys_go_on_and_closing_ends(screen):
    window, _ = Window.open("demo")
    screen.key = ord("x")
    assert window.show(np.zeros((4, 6, 3), np.uint8))
    screen.visible = 0.0
    assert not window.show(np.zeros((4, 6, 3), np.uint8))
    assert len(screen.shown) == 1, "a window that the user closed must not come back"
    window.close()


def test_an_opencv_without_windows_gives_the_reason(monkeypatch):
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           NONE\n")
    window, reason = Window.open("demo")
    assert window is None
    assert "opencv-python-headless" in reason


def test_no_screen_gives_the_reason(monkeypatch):
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:   QT5\n")
    monkeypatch.setattr(module.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert Window.open("demo") == (None, "there is no screen (DISPLAY is not set)")


@pytest.mark.parametrize("code", [-6, 1])
def test_a_screen_that_kills_the_probe_gives_the_reason(monkeypatch, code):
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:   QT5\n")
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(module.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, code))
    assert Window.open("demo") == (None, "the screen cannot be reached")
