"""Errors that a user can act on: one sentence that names the thing that is wrong and the remedy.

The library knows nothing of a command line. It names the ``field`` that is wrong, which is a parameter of a function or
a key of a configuration, and writes other fields in backticks. The command line makes options of both:

>>> error = UsageError("the cameras are not calibrated; give a `rig` too.", field="frame", value="ground")
>>> str(error)
'frame ground: the cameras are not calibrated; give a `rig` too.'
>>> error.described(lambda field: f"--{field}")
'--frame ground: the cameras are not calibrated; give a --rig too.'
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence

# Greedy, because a password may itself hold "@", "/" or a space; what a path or a sentence loses is the smaller loss.
_CREDENTIALS = re.compile(r"(?<=://)(?:(?!\b[a-z]+://).)*@", re.IGNORECASE)
_SECRETS = re.compile(
    r"(?<=[?&;])((?:[\w-]*(?:pass|pwd|token|secret|auth)[\w-]*|pw|key|api_?key|usr|user)=)[^&;\s]*", re.IGNORECASE
)
_FIELD = re.compile(r"`([a-z][a-z0-9_]*)`")
_HISSING = ("s", "x", "ch", "sh")


def counted(count: int, noun: str) -> str:
    """How many of a thing, as all sentences say it.

    >>> counted(1, "frame"), counted(2000, "frame"), counted(0, "true box")
    ('1 frame', '2,000 frames', '0 true boxes')
    """
    ending = "" if count == 1 else "es" if noun.endswith(_HISSING) else "s"
    return f"{count:,} {noun}{ending}"


def are(count: int) -> str:
    """The verb that goes with ``counted``.

    >>> are(1), are(2), are(0)
    ('is', 'are', 'are')
    """
    return "is" if count == 1 else "are"


def without_credentials(text: str) -> str:
    """``text`` with user names and passwords taken out of every address in it, also from its query."""
    return _SECRETS.sub(r"\1...", _CREDENTIALS.sub("", text))


def with_field_names(text: str, name_of: Callable[[str], str]) -> str:
    """``text`` with each field in backticks called as ``name_of`` returns."""
    return _FIELD.sub(lambda match: name_of(match[1]), text)


def fault_of(message: str) -> str:
    """What pydantic's ``message`` says is wrong with a value, as part of a sentence."""
    return message.removeprefix("Value error, ").replace("Input should be", "expected")


def meant(key: str, known: Sequence[str]) -> str:
    """What the unknown ``key`` may have meant, as the end of a sentence: the nearest of ``known``, else all."""
    close = difflib.get_close_matches(key.replace("-", "_"), known, n=1)
    return f"did you mean {close[0]}" if close else f"known are {', '.join(known)}"


class PerceptionError(Exception):
    """A run failed for a reason outside the program. ``exit_code`` is what the command returns.

    ``message`` states what is wrong and what to do about it. ``field`` is the parameter or the configuration's key that
    it is about and ``value`` what was given for it, where there are such; an error about a file begins with its path
    instead.
    """

    exit_code = 1

    def __init__(self, message: str, *, field: str | None = None, value: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.value = value

    def described(self, name_of: Callable[[str], str]) -> str:
        """The whole sentence, each field called as ``name_of`` returns; credentials are taken out."""
        text = with_field_names(self.message, name_of)
        if self.field is not None:
            value = "" if self.value is None else f" {_shown(self.value)}"
            text = f"{name_of(self.field)}{value}: {text}"
        return without_credentials(text)

    def __str__(self) -> str:
        if self.field is None:
            return without_credentials(self.message)
        value = "" if self.value is None else f" {_shown(self.value)}"
        return without_credentials(f"{self.field}{value}: {self.message}")


class UsageError(PerceptionError):
    """The command, a configuration or an input file is wrong: what was asked for cannot be done."""

    exit_code = 2


class CamerasLostError(PerceptionError):
    """A live run ended because cameras that it requires were lost."""

    exit_code = 3


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
