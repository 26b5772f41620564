"""A package's source with the stride and the rig of the user's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from support.scenes import make_rig

from perception import plugins
from perception.errors import UsageError
from perception.plugins import SourceRequest
from perception.protocols import Source
from perception.sources import open_source
from perception.types import Frame, FrameSet

SPEC = "theirs:place"


class TwoCameras:
    """Seven instants, five a second."""

    cameras, rig, name, rate_fps, is_live, length, dropped = ("a", "b"), None, "two / cameras", 5.0, False, 7, 3
    frame_counts = None

    def __init__(self) -> None:
        self.warnings = ["it rains."]
        self.closed = 0

    def __iter__(self) -> Iterator[FrameSet]:
        for index in range(7):
            frames = tuple(Frame(np.zeros((90, 160, 3), np.uint8), name, index, index) for name in self.cameras)
            yield FrameSet(frames, index, index)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> TwoCameras:
    source = TwoCameras()

    def factory(request: SourceRequest) -> TwoCameras:
        assert request == SourceRequest(argument="place", newest_only=True, timeout_s=2)
        return source

    monkeypatch.setattr(plugins, "_find", lambda kind, spec: (factory, "place") if spec == SPEC else None)
    return source


def test_a_stride_is_applied_to_it(theirs: TwoCameras) -> None:
    source = open_source([SPEC], stride=3, newest_only=True, connect_timeout_s=2)
    assert isinstance(source, Source)
    assert [frame_set.index for frame_set in source] == [0, 3, 6]
    assert (source.length, source.cameras, source.name) == (3, ("a", "b"), "two_cameras")
    assert source.rate_fps == pytest.approx(5 / 3)
    assert (source.is_live, source.dropped, source.warnings) == (False, 3, ["it rains."])
    source.close()
    assert theirs.closed == 1


def test_a_rig_is_matched_with_its_cameras(theirs: TwoCameras) -> None:
    rig = make_rig({"a": 0.0, "b": 90.0}, size_px=(160, 90))
    source = open_source([SPEC], newest_only=True, connect_timeout_s=2, rig=rig)
    assert source.rig is not None and list(source.rig.cameras) == ["a", "b"]
    assert len(list(source)) == 7
    other = make_rig({"a": 0.0, "c": 90.0}, size_px=(160, 90))
    with pytest.raises(UsageError, match="the source has b, the rig has not"):
        open_source([SPEC], newest_only=True, connect_timeout_s=2, rig=other)
    assert theirs.closed == 1
    of_other_size = make_rig({"a": 0.0, "b": 90.0}, size_px=(320, 180))
    with pytest.raises(UsageError, match="camera a, image 0: has 160x90 pixels"):
        next(iter(open_source([SPEC], newest_only=True, connect_timeout_s=2, rig=of_other_size)))


def test_it_stands_alone_and_has_its_own_clock(theirs: TwoCameras) -> None:
    for specs, rate_fps in (([SPEC, "0"], None), ([SPEC], 10.0)):
        with pytest.raises(UsageError, match=r"stands alone|has its own clock"):
            open_source(specs, newest_only=True, connect_timeout_s=2, rate_fps=rate_fps)
    assert theirs.closed == 2
