"""The command line: one file per command; parses, calls the library, prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer

from perception.cli.error_reporting import OptionNames, report_failure
from perception.cli.terminal import Terminal, Verbosity
from perception.errors import PerceptionError, UsageError
from perception.runtime.shutdown import signals_interrupt


class _Entry(NamedTuple):
    """A command or, where ``is_group``, commands of one name; its module is loaded when it is asked for.

    ``module`` is that of another command, where they share one.
    """

    help: str
    is_group: bool = False
    module: str | None = None


COMMANDS = {
    "demo": _Entry("Detect, track and forecast the road users in a recording; writes video, tables and a report."),
    "stream": _Entry(
        "Detect, track and forecast road users before live cameras; each frame that is not used is counted."
    ),
    "replay": _Entry("Run over a recorded stream again, with the same instants as when it was live.", module="stream"),
    "evaluate": _Entry(
        "Measure detection, tracking, forecasting and speed; prints the report, writes report.json and report.html."
    ),
    "compare": _Entry(
        "Compare finished runs over the same recordings: paired differences with intervals; writes compare.json."
    ),
    "simulate": _Entry("Make a recording with ground truth: traffic in a town, filmed by each camera of a rig."),
    "bench": _Entry("Measure the speed: engines side by side, then more and more cameras, and more and more objects."),
    "train": _Entry("Train the networks.", is_group=True),
    "export": _Entry("Write a network as an ONNX file, for runtimes without PyTorch.", is_group=True),
    "weights": _Entry("List, fetch and check network weights.", is_group=True),
    "convert": _Entry("Write boxes in other programs' formats, or a benchmark's data file.", is_group=True),
}

_DEBUG, _VERBOSE, _QUIET = "--debug", "--verbose", "--quiet"
_HELP = "Detect road users in video, track them, forecast their trajectories."
_EPILOG = (
    f"Before or after any command: {_VERBOSE} logs what happens, {_QUIET} prints only errors and the path of the "
    f"result, {_DEBUG} shows where an error happened."
)


def build_app(arguments: Sequence[str] = ()) -> typer.Typer:
    """All commands; only the one that ``arguments`` name is loaded, of the others help knows the sentence above."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    wanted = next((text for text in arguments if not text.startswith("-")), None)
    for name, entry in COMMANDS.items():
        module: Any = import_module(f"perception.cli.{entry.module or name}") if name == wanted else None
        if module is None:
            app.command(name, help=entry.help)(_not_loaded)
        elif entry.is_group:
            app.add_typer(module.app, name=name, help=entry.help, epilog=_EPILOG)
        else:
            app.command(name, help=entry.help, epilog=_EPILOG)(getattr(module, name))
    app.callback(help=_HELP, epilog=_EPILOG)(_common_options)
    return app


def _not_loaded() -> None:
    raise AssertionError("only the command that is named runs, and it is loaded")


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from perception import __version__

        typer.echo(__version__)
        raise typer.Exit


def _common_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """What stands before the command."""


def run(arguments: Sequence[str] | None = None, *, build: Callable[[Sequence[str]], typer.Typer] = build_app) -> int:
    """Run the command line ``arguments`` (without the program's name); returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Taken out here, they stand anywhere and also cover what goes wrong before a command runs.
    switches = {text for text in given if text in (_DEBUG, _VERBOSE, _QUIET)}
    given = [text for text in given if text not in switches]
    # Two busy processes would make OpenMP's waiting threads burn the processor; read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    describe: Callable[[PerceptionError], str] = str
    try:
        terminal = Terminal(_verbosity(switches))
        program = typer.main.get_command(build(given))
        describe = OptionNames(program, given).describe
        with terminal.logging(), signals_interrupt():
            code = _run_program(program, given, terminal)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        return report_failure(error, debug=_DEBUG in switches, describe=describe)
    return code


def _run_program(program: Any, arguments: list[str], terminal: Terminal) -> int:
    """The exit code; raises what the command raises, also ``KeyboardInterrupt``, which the program's ``main`` hides."""
    try:
        # The parser takes the arguments out of its list.
        with program.make_context("perception", list(arguments), obj=terminal) as context:
            code = program.invoke(context)
    except typer.Exit as end:
        code = end.exit_code
    return code if isinstance(code, int) else 0


def _verbosity(switches: set[str]) -> Verbosity:
    if {_VERBOSE, _QUIET} <= switches:
        raise UsageError(f"{_VERBOSE} and {_QUIET}: give only one of them.")
    return "verbose" if _VERBOSE in switches else "quiet" if _QUIET in switches else "normal"


def main() -> None:
    """The entry point of the ``perception`` command."""
    sys.exit(run())
