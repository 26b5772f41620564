"""A command's options, made from its configuration: one field, one option, one key of ``--config`` files."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import typer
from pydantic.fields import FieldInfo

from perception.cli.error_reporting import option_of
from perception.cli.terminal import terminal_of
from perception.errors import UsageError
from perception.pipeline.config import RunConfig, Seconds, load_config, split_at_commas, split_classes

Config = TypeVar("Config", bound=RunConfig)

_CONFIG = "config"

DRAWING = ("line_width", "labels", "scores", "colour", "pasts", "futures", "footer", "speed")
"""What has no meaning for commands that draw nothing."""

TRACK_FILES = ("save_txt", "save_crop", "save_csv")
"""Files of tracks for other programs, beside the results that are always written."""

PANELS = {
    "Input": ("source", "fps", "start_s", "end_s", "stride", "max_frames", "duration_s", "rig", "road_height", _CONFIG),
    "Live cameras": (
        "sources_file",
        "realtime",
        "require",
        "tolerance_s",
        "max_wait_s",
        "max_age_s",
        "lost_after_s",
        "frozen_after_s",
        "metrics",
        "record",
        "keep",
    ),
    "Models": (
        "frame",
        "detector",
        "weights",
        "tracker",
        "tracker_config",
        "ego_motion",
        "forecaster",
        "device",
        "conf",
        "iou",
        "imgsz",
        "classes",
        "class_map",
        "detect_interval",
        "half",
        "engine",
    ),
    "Ground truth": (
        "results",
        "predictions",
        "predictions_format",
        "truth",
        "images",
        "riders",
        "grouping",
        "min_height",
        "min_visible",
        "failures",
    ),
    "Limits": ("fail_under", "fail_over"),
    "Forecasting benchmark": ("benchmark", "data", "split", "references", "interactions"),
    "Sizes": ("cameras", "objects", "sizes", "instants", "peers"),
    "Many recordings": ("fleet", "address", "workers", "retries", "shard", "resume", "cache", "cache_folder"),
    "Drawing": DRAWING,
    "Results": (
        "seed",
        "show",
        "save",
        *TRACK_FILES,
        "writer",
        "output",
        "project",
        "name",
        "exist_ok",
        "json_file",
        "markdown",
        "csv",
    ),
}
"""The options in the order of the help, under its headings."""

_OTHER_NAMES = {
    "duration_s": "--duration",
    "start_s": "--start",
    "end_s": "--end",
    "tolerance_s": "--tolerance",
    "max_wait_s": "--max-wait",
    "max_age_s": "--max-age",
    "lost_after_s": "--lost-after",
    "frozen_after_s": "--frozen-after",
    "peers": "--peer",
    "json_file": "--json",
}
"""Options are called as people know them: without the unit or what it is, in the singular where repeated."""


def command(
    kind: type[Config], *, without: Collection[str] = (), positional: Mapping[str, str] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function that takes a ``config`` of ``kind``, the ``terminal``, and arguments of its own.

    What is not given on the command line comes from the ``--config`` file, and else has the field's default. Fields
    ``without`` an option can be given in the file only. ``positional`` are arguments of the function that stand for a
    field, by their names: they win over the file too, and exclude the field's option.
    """
    stands_for = positional or {}

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = own_parameters(function, without=("config", "terminal"))
        parameters = [
            inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
            *own,
            *_options(kind, without),
        ]

        def run(context: typer.Context, **given: Any) -> None:
            arguments = {parameter.name: given.pop(parameter.name) for parameter in own}
            path = given.pop(_CONFIG)
            options = {name: value for name, value in given.items() if value not in (None, [], ())}
            for name, field in stands_for.items():
                _take_argument(options, field, arguments[name])
            config = load_config(kind, path=path, options=options)
            function(config, terminal_of(context), **arguments)

        return as_command_function(run, function, parameters)

    return decorate


def _take_argument(options: dict[str, Any], field: str, value: list[str] | None) -> None:
    """Put the ``value`` of an argument that stands for ``field`` among the ``options``."""
    if not value:
        return
    if field in options:
        raise UsageError(f"{value[0]}: `{field}` is given too; leave one of them out.")
    options[field] = value


def as_command_function(
    run: Callable[..., None], described: Callable[..., None], parameters: Sequence[inspect.Parameter]
) -> Callable[..., None]:
    """``run`` with the name and docstring of ``described``, and with ``parameters``, which typer makes options of."""
    run.__name__, run.__doc__ = described.__name__, described.__doc__
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def own_parameters(function: Callable[..., None], *, without: Collection[str]) -> list[inspect.Parameter]:
    """The parameters of ``function`` with their types, but those ``without`` an option of their own."""
    hints = get_type_hints(function, include_extras=True)
    return [
        parameter.replace(annotation=hints[name])
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in without
    ]


def _options(kind: type[RunConfig], without: Collection[str]) -> list[inspect.Parameter]:
    known = {name for names in PANELS.values() for name in names}
    if missing := kind.model_fields.keys() - known:
        raise ValueError(f"PANELS: expected every field of {kind.__name__}, {', '.join(sorted(missing))} is not there")
    found = []
    for panel, names in PANELS.items():
        for name in names:
            if name == _CONFIG:
                annotation = _config_file(panel)
            elif name in kind.model_fields and name not in without:
                annotation = _option(name, kind.model_fields[name], panel)
            else:
                continue
            # None means "not given", so that the value of a --config file counts.
            found.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))
    return found


def _config_file(panel: str) -> Any:
    text = "YAML file with options; the command line wins."
    return Annotated[Path | None, typer.Option("--config", help=text, rich_help_panel=panel)]


def _option(name: str, field: FieldInfo, panel: str) -> Any:
    option = _OTHER_NAMES.get(name, option_of(name))
    kind = _type_on_the_command_line(field)
    if kind is bool:
        option = f"{option}/--no-{option.removeprefix('--')}"
    return Annotated[
        kind | None,
        typer.Option(option, help=_help(name, field), show_default=False, rich_help_panel=panel),
    ]


def _type_on_the_command_line(field: FieldInfo) -> Any:
    """Without the field's checks, which the configuration makes; a list is given by repeating, or with commas."""
    if any(getattr(part, "func", None) in (split_at_commas, split_classes) for part in field.metadata):
        return str
    kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)]
    kind = kinds[0] if type(None) in get_args(field.annotation) else field.annotation
    if kind is Seconds:
        return str
    return str if get_origin(kind) is Literal else kind


def _help(name: str, field: FieldInfo) -> str | None:
    """The description with the default, which typer does not know: an option that is not given is None."""
    if field.default in (None, [], False):
        return field.description
    default = str(field.default)
    if isinstance(field.default, list):
        default = ",".join(map(str, field.default))
    elif field.default is True:
        default = name.replace("_", "-")  # as the option, beside its opposite
    return rf"{field.description} \[default: {default}]"  # escaped: rich takes brackets for markup
