"""The command itself: help, speed of the start, and from an exception to one sentence."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest
import typer
from support.commands import Command

import perception.cli
from perception.cli import run
from perception.cli.error_reporting import explain
from perception.errors import PerceptionError, UsageError

HEAVY = ("torch", "torchvision", "cv2", "numpy", "scipy", "onnxruntime", "av")


def failing_app(error: BaseException) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    def fail() -> None:
        raise error

    return app


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"], ["stream", "--help"], ["evaluate", "--help"]])
def test_help_works_and_loads_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys; from perception.cli import run; code = run(sys.argv[1:]);"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage: perception" in done.stdout
    assert done.stdout.endswith("LOADED []\n")


def test_version(command: Command) -> None:
    ran = command("--version")
    assert (ran.code, ran.out) == (0, f"{version('perception')}\n")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["demo", "--confidence", "1"], "--confidence"), (["dmeo"], "dmeo"), (["demo", "--imgsz", "big"], "--imgsz")],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(command: Command, arguments: list[str], named: str) -> None:
    ran = command(*arguments)
    assert ran.code == 2
    assert named in ran.sentence
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UsageError("a.mp4: no such file; check the name."), 2, "a.mp4: no such file; check the name."),
        (PerceptionError("disk: full."), 1, "disk: full."),
        (PerceptionError("[bold]x[/] rtsp://me:secret@cam/1: gone."), 1, "[bold]x[/] rtsp://cam/1: gone."),
        (
            ValueError("bad\nnews"),
            1,
            "unexpected ValueError (bad); run it again with --debug",
        ),
        (OSError(28, "No space left on device", "x.txt"), 1, "x.txt: No space left on device"),
        (ImportError("libGL.so.1: cannot open shared object file"), 1, "opencv-python-headless"),
        (ImportError("No module named zzz"), 1, "unexpected ImportError"),
    ],
)
def test_an_exception_becomes_one_sentence(
    error: BaseException, code: int, words: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perception.cli, "build_app", lambda: failing_app(error))
    ran = command()
    assert ran.code == code
    assert words in ran.sentence
    assert "secret" not in ran.err
    assert ran.err.count("\n") == 1


def test_debug_shows_the_traceback_and_stands_anywhere(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perception.cli, "build_app", lambda: failing_app(ValueError("why")))
    ran = command("--debug")
    assert ran.code == 1
    assert "Traceback" in ran.err
    assert "ValueError: why" in ran.err


def test_a_closed_pipe_is_quiet() -> None:
    script = "import sys; from perception.cli import run; sys.exit(run(['--help']))"
    done = subprocess.run(
        f'{sys.executable} -c "{script}" | true; echo ${{PIPESTATUS[0]}}',
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "1")


def test_an_interrupt_before_the_start_has_the_shells_exit_code(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perception.cli, "build_app", lambda: failing_app(KeyboardInterrupt()))
    assert command().code == 130
    assert explain(KeyboardInterrupt())[1] == 130


def test_every_error_of_the_package_tells_its_exit_code() -> None:
    assert explain(UsageError("x"))[1] == 2
    assert explain(PerceptionError("x"))[1] == 1


def test_no_command_shows_the_help_and_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "Usage: perception" in capsys.readouterr().out
