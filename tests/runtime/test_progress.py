"""The line that says how far a run is."""

import io
import re

from rich.console import Console

from perception.runtime import progress as progress_module
from perception.runtime.progress import RunProgress


def test_the_line_has_counts_times_and_what_is_left() -> None:
    progress = RunProgress(Console(file=io.StringIO()), total=10)
    for number in range(4):
        progress.update({"detect": 10.0 + number, "track": 1.0}, objects=3)
    line = progress.line(dropped=2, objects=3)
    assert re.fullmatch(r"4/10 frames, \d+\.\d fps, 3 objects, 2 dropped, \d+:\d\d left, detect 12 track 1 ms", line), (
        line
    )


def test_without_a_total_nothing_is_left() -> None:
    progress = RunProgress(Console(file=io.StringIO()), total=None)
    progress.update({"detect": 5.0}, objects=0)
    assert "left" not in progress.line(dropped=0, objects=0)
    assert progress.line(dropped=0, objects=None).startswith("1 frames, ")


def test_times_are_means_over_the_last_frames_only() -> None:
    progress = RunProgress(Console(file=io.StringIO()), total=None)
    progress.update({"detect": 10_000.0}, objects=0)
    for _ in range(progress_module.WINDOW_FRAMES):
        progress.update({"detect": 7.0}, objects=0)
    assert progress.line(dropped=0, objects=0).endswith("detect 7 ms")


def test_a_terminal_has_a_live_line_and_a_pipe_a_last_one() -> None:
    for is_terminal in (True, False):
        written = io.StringIO()
        with RunProgress(Console(file=written, force_terminal=is_terminal, width=100), total=2) as progress:
            progress.update({"detect": 7.0}, objects=1)
            progress.update({"detect": 7.0}, objects=1)
        assert ("\x1b[" in written.getvalue()) is is_terminal
        assert "2/2 frames" in written.getvalue()


def test_a_run_that_never_began_prints_nothing() -> None:
    written = io.StringIO()
    with RunProgress(Console(file=written), total=2):
        pass
    assert written.getvalue() == ""
