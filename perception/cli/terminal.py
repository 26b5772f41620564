"""Where a command writes: results to stdout, all else to stderr, as much as was asked for."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console

Verbosity = Literal["quiet", "normal", "verbose"]

LOG_LEVELS: dict[Verbosity, int] = {"quiet": logging.ERROR, "normal": logging.WARNING, "verbose": logging.DEBUG}
"""From which level on the library's log is shown."""

_LIBRARY = "perception"


@dataclass(frozen=True)
class Terminal:
    """The two streams of a command; "quiet" leaves only errors and ``result``.

    Commands find theirs as ``context.obj``. rich is loaded when the first line is written, so that help need not wait.
    """

    verbosity: Verbosity = "normal"
    is_stdout_taken: bool = False
    """Whether stdout belongs to a file that the command writes there; all else then goes to stderr."""

    @cached_property
    def out(self) -> Console:
        """stdout, for tables and readings."""
        from rich.console import Console

        return Console(stderr=self.is_stdout_taken, highlight=False, quiet=self.verbosity == "quiet")

    @cached_property
    def err(self) -> Console:
        """stderr, for notes and progress."""
        from rich.console import Console

        return Console(stderr=True, highlight=False, quiet=self.verbosity == "quiet")

    def note(self, text: str) -> None:
        """Say ``text`` on stderr as it is: no markup in it, no line breaks added."""
        self.err.print(text, soft_wrap=True, markup=False)

    def note_once(self, text: str) -> None:
        """``note``, but nothing where it was said in this way already."""
        if text not in self._said:
            self._said.add(text)
            self.note(text)

    @cached_property
    def _said(self) -> set[str]:
        return set()

    def say(self, text: str, *, style: str | None = None) -> None:
        """Say ``text`` on stdout as it is."""
        self.out.print(text, soft_wrap=True, markup=False, style=style)

    def result(self, path: Path) -> None:
        """The path of what the command made, alone on the last line of stdout."""
        # Not by rich, which breaks long lines and may be quiet.
        stream = sys.stderr if self.is_stdout_taken else sys.stdout
        stream.write(f"{path}\n")
        stream.flush()

    @contextmanager
    def logging(self) -> Iterator[None]:
        """While the block runs, the library's log goes to stderr with the loggers' names."""
        logger, handler = logging.getLogger(_LIBRARY), _ConsoleHandler(self)
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(LOG_LEVELS[self.verbosity])
        try:
            yield
        finally:
            logger.setLevel(before)
            logger.removeHandler(handler)


class _ConsoleHandler(logging.Handler):
    """Writes through the terminal's own console, which keeps its progress line below what is written."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            console = self._terminal.err
            was_quiet, console.quiet = console.quiet, False  # what passed the level is to be seen
            try:
                self._terminal.note(self.format(record))
            finally:
                console.quiet = was_quiet
        except Exception:
            self.handleError(record)


def terminal_of(context: Any) -> Terminal:
    """The terminal of a running command; a normal one where the command runs in another program."""
    return context.obj if isinstance(context.obj, Terminal) else Terminal()
