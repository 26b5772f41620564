"""Parts that others wrote, opened by a name, or as ``package.module:factory``.

A package announces its parts as entry points of the group ``perception.plugins``, named by kind and name:

    [project.entry-points."perception.plugins"]
    "detector.colour" = "my_package.parts:open_detector"
    "source.drone" = "my_package.parts:open_source"

The detector "colour" is then what ``open_detector`` makes, and the source "drone:/dev/video3" what ``open_source``
makes. A factory takes one request and returns the part:

| kind | factory |
|---|---|
| ``detector`` | ``(DetectorRequest) -> Detector`` |
| ``tracker`` | ``(TrackerRequest) -> Tracker`` |
| ``forecaster`` | ``(ForecasterRequest) -> Forecaster`` |
| ``source`` | ``(SourceRequest) -> Source`` |
| ``writer`` | ``(WriterRequest) -> Writer`` |

What follows the first colon behind a name, or behind ``package.module:factory``, is the request's ``argument``.
Nothing is registered when a module is imported: installed packages are asked when a part is wanted. A name that is
built in goes before one of a package.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from perception.errors import PerceptionError, UsageError
from perception.geometry.cameras import Rig
from perception.protocols import Detector, Forecaster, Source, Tracker, Writer
from perception.types import ReferenceFrame

if TYPE_CHECKING:
    import torch

WriterOpener = Callable[[Path | None, Source], Writer]
"""Opens a writer for the folder of a run's results, None where none is kept, and the source of the run."""

_LOG = logging.getLogger(__name__)

GROUP = "perception.plugins"
Kind = Literal["detector", "tracker", "forecaster", "source", "writer"]

_PROTOCOLS: Mapping[Kind, type] = {
    "detector": Detector,
    "tracker": Tracker,
    "forecaster": Forecaster,
    "source": Source,
    "writer": Writer,
}
_FACTORY_PATH = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<factory>[^\W\d]\w*)(:(?P<argument>.*))?")


@dataclass(frozen=True, kw_only=True)
class DetectorRequest:
    """What is wanted of a detector, which is to compute on ``device``.

    ``confidence`` 0..1 below which nothing is to be reported; ``iou`` 0..1 above which two boxes are one object;
    ``image_size_px`` the long side of the network's input, None for its usual one; ``classes`` the only ones to report,
    None for all; ``half`` asks for 16 bits; ``weights`` is a file of the user's.
    """

    argument: str
    device: torch.device
    confidence: float
    iou: float
    image_size_px: int | None
    classes: tuple[str, ...] | None
    half: bool
    weights: Path | None


@dataclass(frozen=True, kw_only=True)
class TrackerRequest:
    """What a tracker will follow: what ``detector`` finds, in cameras that ``rig`` calibrates, or in uncalibrated ones.

    ``frame`` is the reference frame that is asked for, "auto" leaves the choice.
    """

    argument: str
    detector: Detector
    rig: Rig | None
    frame: Literal["auto", "image", "ground"]


@dataclass(frozen=True, kw_only=True)
class ForecasterRequest:
    """A forecaster of tracks in ``reference_frame``, which is to compute on ``device``."""

    argument: str
    device: torch.device
    reference_frame: ReferenceFrame


@dataclass(frozen=True, kw_only=True)
class SourceRequest:
    """A source of frame sets. The argument has no ``//`` in front, so that ``NAME://place`` works like ``NAME:place``.

    ``newest_only``: a live source is to skip what the caller was too slow for, and to count it in ``dropped``.
    ``timeout_s`` is the limit of the opening, and then the read timeout. A stride and a rig that the user names are
    applied to what the source hands out.
    """

    argument: str
    newest_only: bool
    timeout_s: float


@dataclass(frozen=True, kw_only=True)
class WriterRequest:
    """A further output of a run over ``cameras``, of about ``rate_fps`` instants per second.

    ``folder`` is that of the run's results, None where none is kept.
    """

    argument: str
    folder: Path | None
    cameras: tuple[str, ...]
    rig: Rig | None
    rate_fps: float


def open_detector_plugin(spec: str, make_request: Callable[[str], DetectorRequest]) -> Detector | None:
    """The detector that ``spec`` names, made from ``make_request(argument)``; None where no package has that name.

    Raises ``UsageError``, here and in the functions below, where two packages announce the name, the factory cannot be
    imported, fails, or returns what lacks a member of the protocol.
    """
    part: Detector | None = _open("detector", spec, make_request)
    return part


def open_tracker_plugin(spec: str, make_request: Callable[[str], TrackerRequest]) -> Tracker | None:
    """The tracker that ``spec`` names, or None."""
    part: Tracker | None = _open("tracker", spec, make_request)
    return part


def open_forecaster_plugin(spec: str, make_request: Callable[[str], ForecasterRequest]) -> Forecaster | None:
    """The forecaster that ``spec`` names, or None."""
    part: Forecaster | None = _open("forecaster", spec, make_request)
    return part


def open_source_plugin(spec: str, make_request: Callable[[str], SourceRequest]) -> Source | None:
    """The source that ``spec`` names, or None."""
    part: Source | None = _open("source", spec, make_request)
    return part


def find_writer_plugin(spec: str) -> WriterOpener:
    """What opens the writer that ``spec`` names.

    The factory is imported here, before a run, and called when its folder is there. Raises ``UsageError`` also where
    there is no such name: no writer is built in.
    """
    found = _find("writer", spec)
    if found is None:
        raise unknown_name("writer", spec, ())
    factory, argument = found

    def open_writer(folder: Path | None, source: Source) -> Writer:
        request = WriterRequest(
            argument=argument, folder=folder, cameras=source.cameras, rig=source.rig, rate_fps=source.rate_fps
        )
        writer: Writer = _made("writer", spec, factory, request)
        return writer

    return open_writer


def plugin_names(kind: Kind) -> list[str]:
    """The names of this kind that installed packages announce, sorted."""
    return sorted({name for name, _ in _announced(kind)})


def unknown_name(kind: Kind, spec: str, built_in: Iterable[str]) -> UsageError:
    """The error for a name that is neither built in nor announced by a package."""
    names = [*built_in, *plugin_names(kind), "package.module:factory"]
    meant = did_you_mean(spec.partition(":")[0], names)
    return UsageError(f"there is no such {kind}; {meant}.", field=kind, value=spec)


def close_names(kind: Kind, spec: str) -> str:
    """ " (did you mean NAME)" where packages announce a name much like that of ``spec``, else ""."""
    close = get_close_matches(spec.partition(":")[0], plugin_names(kind), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(close)})" if close else ""


def did_you_mean(name: str, names: list[str]) -> str:
    """The part of an error that names what the user may have meant, or all there is."""
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}" if close else f"choose from {', '.join(names)}"


def _open(kind: Kind, spec: str, make_request: Callable[[str], Any]) -> Any:
    """The part that ``spec`` names, None where it names none."""
    found = _find(kind, spec)
    if found is None:
        return None
    factory, argument = found
    return _made(kind, spec, factory, make_request(argument.removeprefix("//") if kind == "source" else argument))


def _find(kind: Kind, spec: str) -> tuple[Any, str] | None:
    """The factory that ``spec`` names, and what follows the name."""
    name, _, argument = spec.partition(":")
    entries = {entry.value: entry for announced, entry in _announced(kind) if announced == name}
    if len(entries) > 1:
        raise UsageError(
            f"is announced twice, as {' and '.join(sorted(entries))}; remove one of the packages, or give "
            "package.module:factory.",
            field=kind,
            value=name,
        )
    if entries:
        return _loaded(kind, spec, next(iter(entries.values())).load), argument
    path = _FACTORY_PATH.fullmatch(spec)
    if path is None:
        return None
    return _imported(kind, spec, path["module"], path["factory"]), path["argument"] or ""


def _announced(kind: Kind) -> Iterator[tuple[str, EntryPoint]]:
    for entry in entry_points(group=GROUP):
        announced_kind, _, name = entry.name.partition(".")
        if announced_kind == kind:
            yield name, entry


def _imported(kind: Kind, spec: str, module: str, name: str) -> Any:
    """The factory in a module of the user's, which may lie in the working folder."""

    def load() -> Any:
        with _working_folder_on_path():
            return getattr(import_module(module), name)

    return _loaded(kind, spec, load)


def _loaded(kind: Kind, spec: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:  # a module of others may raise anything while it is imported
        raise UsageError(
            f"cannot be imported ({_first_line(error)}); check the name{close_names(kind, spec)} and that its package "
            "is installed.",
            field=kind,
            value=spec,
        ) from error


def _made(kind: Kind, spec: str, factory: Any, request: Any) -> Any:
    """What the factory returns, with all that its protocol asks for."""
    _LOG.debug("opening the %s %s with %s", kind, spec, factory)
    try:
        part = factory(request)
        lacking = _lacking_members(part, _PROTOCOLS[kind])
    except PerceptionError:
        raise
    except Exception as error:  # the factory of others may raise anything
        raise UsageError(f"its factory failed ({_first_line(error)}); correct it.", field=kind, value=spec) from error
    if lacking:
        raise UsageError(
            f"its factory returned a {type(part).__name__}, which lacks {', '.join(lacking)} of "
            f"perception.{_PROTOCOLS[kind].__name__}; add it.",
            field=kind,
            value=spec,
        )
    return part


def _lacking_members(part: object, protocol: type) -> list[str]:
    """The members of ``protocol`` that ``part`` has not, or has as a value where a method is asked for."""
    members = {name: member for name, member in vars(protocol).items() if name == "__iter__" or name[0] != "_"}
    return [
        name
        for name, member in members.items()
        if not hasattr(part, name) or (callable(member) and not callable(getattr(part, name)))
    ]


def _first_line(error: Exception) -> str:
    text = (str(error).splitlines() or [""])[0].strip().rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextmanager
def _working_folder_on_path() -> Iterator[None]:
    """Modules of the working folder can be imported, after all that is installed."""
    folder = str(Path.cwd())
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
