"""The command line: one file per command; chooses and wires, computes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated

import typer

from perception.cli.error_reporting import report_failure

_DEBUG = "--debug"
_HELP = "Find road users in video, keep their identity, predict where they will go."
_EPILOG = "With --debug an error shows where it happened."


def build_app() -> typer.Typer:
    """All commands; their modules load torch and the rest only when they run."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name in ("demo", "stream", "evaluate", "simulate", "bench"):
        command = getattr(import_module(f"perception.cli.{name}"), name)
        app.command(name, epilog=_EPILOG)(command)
    for name in ("train", "export", "weights", "convert"):
        if find_spec(f"perception.cli.{name}") is not None:
            app.add_typer(import_module(f"perception.cli.{name}").app, name=name)
    app.callback(help=_HELP, epilog=_EPILOG)(_common_options)
    return app


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(version("perception"))
        raise typer.Exit


def _common_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """What stands before the command."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line ``arguments`` (without the program's name); returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Taken out here, it stands anywhere and also covers what goes wrong before a command runs.
    debug = _DEBUG in given
    # Two busy processes would make OpenMP's waiting threads burn the processor; read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app = build_app()
        code = app([text for text in given if text != _DEBUG], prog_name="perception", standalone_mode=False)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        return report_failure(error, debug=debug)
    return code if isinstance(code, int) else 0


def main() -> None:
    """The entry point of the ``perception`` command."""
    sys.exit(run())
