"""Errors that a user can act on: one sentence that names the file or option and the remedy."""

from __future__ import annotations

import re


class PerceptionError(Exception):
    """A run failed for a reason outside the program. ``exit_code`` is what the command returns."""

    exit_code = 1


class UsageError(PerceptionError):
    """The command, a configuration or an input file is wrong: what was asked for cannot be done."""

    exit_code = 2


# Greedy, because a password may itself hold "@" or "/"; an "@" later in a path is the smaller loss.
_CREDENTIALS = re.compile(r"(?<=://)[^\s]*@")


def without_credentials(text: str) -> str:
    """``text`` with user names and passwords taken out of every address in it."""
    return _CREDENTIALS.sub("", text)
