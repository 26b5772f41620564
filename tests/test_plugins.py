"""Parts of others: found by name or as module:factory, held against their protocols, refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from support.moving_boxes import BoxDetector

from perception import plugins
from perception.errors import PerceptionError, UsageError
from perception.plugins import GROUP, SourceRequest, find_writer_plugin, open_source_plugin, open_tracker_plugin
from perception.protocols import Detector, Forecaster, Source, Tracker, Writer

THIS = "test_plugins"


@pytest.fixture
def announce(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes entry points of name=value, as if a package had brought them."""
    entries: list[EntryPoint] = []
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: entries if group == GROUP else [])

    def add(name: str, value: str) -> None:
        entries.append(EntryPoint(name, value, GROUP))

    monkeypatch.syspath_prepend(Path(__file__).parent)
    return add


def detector(spec: str) -> Any:
    return plugins.open_detector_plugin(spec, lambda argument: argument)  # type: ignore[arg-type, return-value]


def open_boxes(request: Any) -> BoxDetector:
    found = BoxDetector()
    found.name = f"boxes:{request}"
    return found


def open_nothing(request: Any) -> object:
    return object()


def open_half(request: Any) -> Any:
    class Half:
        name, feature_space, feature_size, detect = "half", "", 0, None

    return Half()


def open_badly(request: Any) -> Any:
    raise RuntimeError("no licence\nsecond line")


def open_with_advice(request: Any) -> Any:
    raise PerceptionError("the camera sleeps; wake it.")


not_callable = 3


def test_a_name_or_a_factory_and_what_follows_it(announce: Callable[..., None]) -> None:
    announce("detector.boxes", f"{THIS}:open_boxes")
    announce("tracker.other", f"{THIS}:open_nothing")
    for spec, argument in (
        ("boxes", ""),
        ("boxes:a:b", "a:b"),
        (f"{THIS}:open_boxes", ""),
        (f"{THIS}:open_boxes:a:b", "a:b"),
    ):
        found = detector(spec)
        assert isinstance(found, Detector) and found.name == f"boxes:{argument}"
    assert detector("other") is None  # a tracker's name
    assert detector("FILE.onnx") is None and detector("rtsp://camera/1") is None
    assert plugins.plugin_names("detector") == ["boxes"]


def test_a_source_may_be_written_like_an_address(announce: Callable[..., None]) -> None:
    asked: list[SourceRequest] = []

    def make(argument: str) -> SourceRequest:
        asked.append(SourceRequest(argument=argument, newest_only=True, timeout_s=1))
        return asked[-1]

    announce("source.drone", f"{THIS}:open_nothing")
    for spec in ("drone://place", "drone:place"):
        with pytest.raises(UsageError, match=r"drone:.*returned a object, which lacks cameras, rig"):
            open_source_plugin(spec, make)
    assert [request.argument for request in asked] == ["place", "place"]


def test_a_module_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_parts_of_mine.py").write_text("from support.moving_boxes import BoxDetector as open_it\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"^detector own_parts_of_mine:open_it: its factory failed \(TypeError: "):
        detector("own_parts_of_mine:open_it")  # it takes no request


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        ("open_nothing", "returned a object, which lacks name, feature_space, feature_size, is_calibrated, detect of "),
        ("open_half", "returned a Half, which lacks is_calibrated, detect of perception.Detector"),
        ("open_badly", r"its factory failed \(RuntimeError: no licence\); correct it"),
        ("not_callable", r"its factory failed \(TypeError: 'int' object is not callable\)"),
        ("not_there", r"cannot be imported \(AttributeError: "),
    ],
)
def test_what_is_wrong_with_a_part_is_reported(announce: Callable[..., None], factory: str, sentence: str) -> None:
    announce("detector.mine", f"{THIS}:{factory}")
    for spec in ("mine", f"{THIS}:{factory}"):
        with pytest.raises(UsageError, match=rf"^detector {spec}: .*{sentence}") as caught:
            detector(spec)
        assert "\n" not in str(caught.value)


def test_a_factory_may_speak_for_itself(announce: Callable[..., None]) -> None:
    announce("detector.mine", f"{THIS}:open_with_advice")
    with pytest.raises(PerceptionError, match=r"^the camera sleeps; wake it\.$"):
        detector("mine")


def test_a_module_that_is_not_there_and_a_name_announced_twice(announce: Callable[..., None]) -> None:
    with pytest.raises(UsageError, match=r"cannot be imported \(ModuleNotFoundError: No module named 'nowhere'\)"):
        detector("nowhere.at_all:open")
    announce("detector.mine", f"{THIS}:open_boxes")
    announce("detector.mine", f"{THIS}:open_boxes")  # one package found twice is no conflict
    assert detector("mine") is not None
    announce("detector.mine", f"{THIS}:open_nothing")
    with pytest.raises(UsageError, match=rf"mine: is announced twice, as {THIS}:open_boxes and {THIS}:open_nothing"):
        detector("mine")


def test_an_unknown_name_gets_a_proposal_that_knows_the_packages(announce: Callable[..., None]) -> None:
    announce("tracker.nearest", f"{THIS}:open_nothing")
    assert open_tracker_plugin("nearset", lambda argument: argument) is None  # type: ignore[arg-type, return-value]
    assert "did you mean nearest." in str(plugins.unknown_name("tracker", "nearset", ["auto"]))
    said = str(plugins.unknown_name("tracker", "12345", ["auto"]))
    assert said.endswith("choose from auto, nearest, package.module:factory.")
    with pytest.raises(UsageError, match=r"^writer table: there is no such writer; choose from package\.module"):
        find_writer_plugin("table")


@pytest.mark.parametrize(
    ("protocol", "member"),
    [(Detector, "is_calibrated"), (Tracker, "counts"), (Forecaster, "step"), (Source, "__iter__"), (Writer, "close")],
)
def test_every_member_of_a_protocol_is_asked_for(protocol: type, member: str) -> None:
    assert member in plugins._lacking_members(object(), protocol)
