"""From an exception to one sentence and an exit code."""

from __future__ import annotations

import os
import sys
import traceback

from rich.console import Console
from rich.text import Text

from perception.errors import PerceptionError, without_credentials

INTERRUPTED = 130
"""The exit code that shells expect of a command that Ctrl-C ended before it had done anything."""


def report_failure(error: BaseException, *, debug: bool) -> int:
    """Say on stderr what went wrong, with the traceback where ``debug``; returns the exit code."""
    if isinstance(error, BrokenPipeError):
        # Python flushes stdout once more at its end, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if debug:
        traceback.print_exception(error)
    sentence, exit_code = explain(error)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(Text.assemble(("Error: ", "bold red"), " ".join(without_credentials(sentence).split())))
    return exit_code


def explain(error: BaseException) -> tuple[str, int]:
    """The sentence for the user, and the exit code."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped before anything was done.", INTERRUPTED
    if isinstance(error, PerceptionError):
        return str(error), error.exit_code
    if hasattr(error, "format_message"):  # typer's errors of use; where it keeps their class changes between versions
        return f"{str(error.format_message()).rstrip('.')}; see --help.", int(getattr(error, "exit_code", 2))
    if isinstance(error, ImportError) and "libGL" in str(error):
        return (
            f"OpenCV cannot be loaded ({error}): install the system's package libgl1, "
            "or opencv-python-headless in place of opencv-python."
        ), 1
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}; check the name, the rights and the room on the disk.", 1
    first_line = (str(error).splitlines() or [""])[0]
    return f"unexpected {type(error).__name__} ({first_line}); run it again with --debug and report what it shows.", 1
