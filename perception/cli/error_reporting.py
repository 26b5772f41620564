"""From an exception to one sentence and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from perception.errors import PerceptionError, without_credentials
from perception.runtime.shutdown import Interrupted

_CONFIG = "config"


def option_of(field: str) -> str:
    """``max_frames`` -> ``--max-frames``, where the command has no other name for it."""
    return f"--{field.replace('_', '-')}"


def report_failure(error: BaseException, *, debug: bool, describe: Callable[[PerceptionError], str] = str) -> int:
    """Say on stderr what went wrong, with the traceback where ``debug``; returns the exit code."""
    from rich.console import Console
    from rich.text import Text

    if isinstance(error, BrokenPipeError):
        # Python flushes stdout once more at its end, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if debug:
        traceback.print_exception(error)
    sentence, exit_code = explain(error, describe)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(Text.assemble(("Error: ", "bold red"), " ".join(without_credentials(sentence).split())))
    return exit_code


def explain(error: BaseException, describe: Callable[[PerceptionError], str] = str) -> tuple[str, int]:
    """The sentence for the user, and the exit code; ``describe`` words an error of the library."""
    if isinstance(error, KeyboardInterrupt):
        interrupted = error if isinstance(error, Interrupted) else Interrupted(signal.SIGINT)
        return interrupted.sentence, interrupted.exit_code
    if isinstance(error, PerceptionError):
        return describe(error), error.exit_code
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


class OptionNames:
    """Words the library's errors in the options of the command that ``arguments`` run.

    ``program`` is typer's command of the whole program. A field whose value comes from the ``--config`` file keeps its
    key and gets the file's name before it.
    """

    def __init__(self, program: Any, arguments: Sequence[str]) -> None:
        self._arguments = arguments
        self._options: dict[str, list[str]] = {}
        command = program
        for text in arguments:
            command = getattr(command, "commands", {}).get(text, command)
        for parameter in command.params:
            names = [name for name in (*parameter.opts, *parameter.secondary_opts) if name.startswith("-")]
            self._options[parameter.name] = names or [str(parameter.name).upper()]

    def describe(self, error: PerceptionError) -> str:
        """One sentence for the terminal."""
        field = error.field
        file = None if field is None or field == _CONFIG or self._is_given(field) else self._given(_CONFIG)
        if file is None or field not in _keys_in(file):
            return error.described(self.option)
        return f"{file}: {error.described(lambda name: name if name == field else self.option(name))}"

    def option(self, field: str) -> str:
        """The option, or the argument in capital letters, that sets ``field``."""
        return self._options[field][0] if field in self._options else option_of(field)

    def _is_given(self, field: str) -> bool:
        return any(text.partition("=")[0] in self._options.get(field, ()) for text in self._arguments)

    def _given(self, field: str) -> str | None:
        """The last value of an option on the command line."""
        found = None
        for number, text in enumerate(self._arguments):
            name, equals, value = text.partition("=")
            if name in self._options.get(field, ()):
                found = value if equals else "".join(self._arguments[number + 1 : number + 2])
        return found


def _keys_in(file: str) -> set[str]:
    """The keys of a configuration file; none where it cannot be read, which is reported elsewhere."""
    from pathlib import Path

    from perception.files import read_yaml

    try:
        content = read_yaml(Path(file))
    except PerceptionError:
        return set()
    return {str(key) for key in content} if isinstance(content, dict) else set()
