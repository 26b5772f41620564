"""What runs the same function over many recordings, wherever that is: in this process, in others, or on a cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from perception.errors import PerceptionError, UsageError

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """What became of the task with this ``index``: its ``value``, or why it failed after so many ``attempts``."""

    index: int
    value: Result | None
    failure: PerceptionError | None = None
    attempts: int = 1


class Engine(Protocol):
    """``run`` gives one outcome for each task, in the order in which they end; a failure ends no other task.

    Where tasks run in other processes, ``function`` is one of a module, and tasks and results can be pickled.
    """

    def run(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Outcome[Result]]:
        """Run ``function`` on each task."""
        ...


def attempt(function: Callable[[Task], Result], task: Task) -> Result | PerceptionError:
    """Call ``function``; an error is returned, in one sentence where it is none of ours."""
    try:
        return function(task)
    except PerceptionError as error:
        return error
    except Exception as error:
        first_line = (str(error).splitlines() or [""])[0]
        return PerceptionError(f"unexpected {type(error).__name__} ({first_line}).")


@dataclass
class Attempts:
    """Which tasks are still to be tried; those that fail are tried again up to ``retries`` times, after all others.

    Wrong input is not tried again: it would be found as wrong.
    """

    count: int
    retries: int
    waiting: deque[int] = field(init=False)
    _tried: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.waiting = deque(range(self.count))

    def take(self) -> int:
        """The next task; there must be one ``waiting``."""
        index = self.waiting.popleft()
        self._tried[index] = self._tried.get(index, 0) + 1
        return index

    def ended(self, index: int, result: Any) -> Outcome[Any] | None:
        """The outcome of a task whose attempt gave ``result``, None where it is tried again."""
        tried = self._tried[index]
        if not isinstance(result, PerceptionError):
            return Outcome(index, result, attempts=tried)
        if tried <= self.retries and not isinstance(result, UsageError):
            self.waiting.append(index)
            return None
        return Outcome(index, None, result, tried)
