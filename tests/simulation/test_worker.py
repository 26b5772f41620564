"""An object in a process of its own: its answers and errors come back, its end is an error and nothing more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perception.errors import PerceptionError, UsageError
from perception.simulation.worker import Worker


class UnpicklableError(Exception):
    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


class Counter:
    def __init__(self, start: int) -> None:
        if start < 0:
            raise UsageError("expected 0 or more.", field="start", value=start)
        self.count = start

    def add(self, number: int) -> int:
        self.count += number
        return self.count

    def process(self) -> int:
        return os.getpid()

    def environment(self) -> str:
        return os.environ["OF_THE_WORKER"]

    def talk(self) -> str:
        print("a library says something", flush=True)
        os.write(1, b"and another past Python\n")
        return "answer"

    def fail(self) -> None:
        raise UnpicklableError(1, 2)

    def keep(self) -> Callable[[], None]:
        return lambda: None

    def end(self, number: signal.Signals) -> None:
        os.kill(os.getpid(), number)


@pytest.fixture(scope="module")
def counter() -> Iterator[Worker[Counter]]:
    with Worker(Counter, 5, does="counts", environment={**os.environ, "OF_THE_WORKER": "here"}) as worker:
        yield worker


def test_the_object_lives_in_another_process_and_keeps_what_it_is_told(counter: Worker[Counter]) -> None:
    first = counter.call(Counter.add, 1)
    assert counter.call(Counter.add, number=2) == first + 2
    assert counter.call(Counter.process) != os.getpid()
    assert counter.call(Counter.environment) == "here"


def test_what_is_printed_there_is_no_answer(counter: Worker[Counter], capfd: pytest.CaptureFixture[str]) -> None:
    assert counter.call(Counter.talk) == "answer"
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("method", "error", "words"),
    [
        (Counter.fail, RuntimeError, "UnpicklableError: 1 and 2"),
        (Counter.keep, Exception, "pickle"),
    ],
)
def test_after_any_error_it_goes_on(
    counter: Worker[Counter], method: Callable[[Counter], None], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as raised:
        counter.call(method)
    assert "in _answer" in str(raised.value.__cause__), "--debug shows where it happened"
    with pytest.raises(Exception, match="pickle"):
        counter.call(lambda _: None)
    assert counter.call(Counter.add, 0) > 0


def test_a_ctrl_c_for_all_processes_is_left_to_the_parent(counter: Worker[Counter]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        counter.call(Counter.end, number)
    assert counter.call(Counter.add, 0) > 0


def test_what_cannot_be_made_says_so_itself() -> None:
    worker = Worker(Counter, -1, does="counts")
    with pytest.raises(UsageError, match="start -1: expected 0 or more"):
        worker.start()
    worker.close()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_crash_is_an_error_here(number: signal.Signals) -> None:
    with Worker(Counter, 1, does="counts") as worker:
        for _ in range(2):
            with pytest.raises(PerceptionError, match=rf"process that counts ended by itself \({number.name}\)"):
                worker.call(Counter.end, number)
    worker.close()


def test_it_ends_with_its_parent_and_a_script_needs_no_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os\n"
        "from fractions import Fraction\n"
        "from perception.simulation.worker import Worker\n"
        "worker = Worker(Fraction, 1, 3, does='divides')\n"
        "worker.start()\n"
        "print(worker.call(Fraction.limit_denominator, 2), flush=True)\n"
        "os._exit(0)\n",  # as if killed: nothing is closed
        encoding="utf-8",
    )
    # Both share the pipe of stderr: this returns when the last of them is gone.
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1/2\n", "")
