"""The command itself: help, speed of the start, and from an exception to one sentence."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import pytest
import typer
from support.commands import Command, Ran

from perception.cli import COMMANDS, run
from perception.cli.error_reporting import explain
from perception.cli.terminal import Terminal, Verbosity
from perception.errors import PerceptionError, UsageError

HEAVY = ("torch", "torchvision", "cv2", "numpy", "scipy", "onnxruntime", "av", "matplotlib")
CHECKS = ("pydantic", "yaml")
"""Needed as soon as options have values, and slow to load."""


@pytest.fixture
def fail(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs the command line with one command, which raises an error."""

    def run_failing(error: BaseException, *arguments: str) -> Ran:
        app = typer.Typer()

        @app.command()
        def raise_it(
            reference_frame: Annotated[str, typer.Option("--frame")] = "auto",
            rig: str = "",
            config: str = "",
            recording: Annotated[str | None, typer.Argument()] = None,
        ) -> None:
            raise error

        code = run(arguments, build=lambda _: app)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run_failing


def loaded_after(script: str, *arguments: str, among: Sequence[str]) -> tuple[str, list[str]]:
    """What ``script`` prints in a process of its own, and which modules ``among`` some it has loaded at its end."""
    script = f"import sys\n{script}\nprint('LOADED', *[name for name in {list(among)} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said, _, loaded = done.stdout.rpartition("LOADED")
    return said, loaded.split()


def test_importing_the_package_loads_nothing_heavy() -> None:
    among = (*HEAVY, *CHECKS, "rich", "typer")
    assert loaded_after("import perception", among=among) == ("", [])
    assert loaded_after("import torch", among=["torch"])[1] == ["torch"], "what is loaded is seen"


@pytest.mark.parametrize("command_name", ["", *COMMANDS])
def test_help_works_and_loads_nothing_heavy(command_name: str) -> None:
    arguments = [command_name, "--help"] if command_name else ["--help"]
    among = HEAVY if command_name else (*HEAVY, *CHECKS)
    said, loaded = loaded_after(
        "from perception.cli import run; assert run(sys.argv[1:]) == 0", *arguments, among=among
    )
    assert f"Usage: perception {command_name}".rstrip() in said
    assert loaded == []


def test_help_of_all_equals_each_commands_own() -> None:
    for name, entry in COMMANDS.items():
        if not entry.is_group:
            function = getattr(import_module(f"perception.cli.{entry.module or name}"), name)
            assert str(function.__doc__).splitlines()[0] == entry.help


FRAME_ERROR = UsageError("the cameras are not calibrated; give a `rig` too.", field="reference_frame", value="ground")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "--frame ground: the cameras are not calibrated; give a --rig too."),
        (["--config", "a.yaml"], "a.yaml: reference_frame ground: the cameras are not calibrated; give a --rig too."),
        (["--config=a.yaml"], "a.yaml: reference_frame ground: the cameras are not calibrated; give a --rig too."),
        (["--config", "none.yaml"], "--frame ground: the cameras are not calibrated; give a --rig too."),
        (
            ["--config", "a.yaml", "--frame=ground"],
            "--frame ground: the cameras are not calibrated; give a --rig too.",
        ),
    ],
)
def test_errors_of_the_library_name_the_option_or_the_file_that_is_wrong(
    arguments: list[str], sentence: str, fail: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("reference_frame: ground\n")
    assert fail(FRAME_ERROR, *arguments).sentence == sentence


def test_an_error_about_no_option_of_the_command_names_one_like_its_field(fail: Callable[..., Ran]) -> None:
    assert fail(UsageError("too many.", field="max_frames", value=[1, 2])).sentence == "--max-frames 1,2: too many."
    assert fail(UsageError("is missing.", field="recording")).sentence == "RECORDING: is missing."


def log_and_say(terminal: Terminal, folder: Path) -> None:
    log = logging.getLogger("perception.somewhere")
    with terminal.logging():
        log.debug("decoded")
        log.warning("[bold]gone[/]")
        log.error("broken")
    log.error("nobody listens")
    terminal.note("note")
    terminal.say("table")
    terminal.result(folder)


@pytest.mark.parametrize(
    ("verbosity", "out", "err"),
    [
        (
            "verbose",
            ["table", "runs/1"],
            [
                "DEBUG perception.somewhere: decoded",
                "WARNING perception.somewhere: [bold]gone[/]",
                "ERROR perception.somewhere: broken",
                "note",
            ],
        ),
        (
            "normal",
            ["table", "runs/1"],
            ["WARNING perception.somewhere: [bold]gone[/]", "ERROR perception.somewhere: broken", "note"],
        ),
        ("quiet", ["runs/1"], ["ERROR perception.somewhere: broken"]),
    ],
)
def test_a_terminal_shows_as_much_as_was_asked_for(
    verbosity: Verbosity, out: list[str], err: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    log_and_say(Terminal(verbosity), Path("runs/1"))
    shown = capsys.readouterr()
    assert shown.out.splitlines() == out
    assert shown.err.splitlines() == err
    assert not logging.getLogger("perception").handlers, "the library has no handlers"


def test_verbose_and_quiet_exclude_each_other(command: Command) -> None:
    ran = command("weights", "--verbose", "--quiet")
    assert ran.code == 2
    assert "--verbose and --quiet" in ran.sentence


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
    error: BaseException, code: int, words: str, fail: Callable[..., Ran]
) -> None:
    ran = fail(error)
    assert ran.code == code
    assert words in ran.sentence
    assert "secret" not in ran.err
    assert ran.err.count("\n") == 1


def test_debug_shows_the_traceback_and_stands_anywhere(fail: Callable[..., Ran]) -> None:
    ran = fail(ValueError("why"), "--debug")
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


def test_an_interrupt_before_the_start_has_the_shells_exit_code(fail: Callable[..., Ran]) -> None:
    assert fail(KeyboardInterrupt()).code == 130
    assert explain(KeyboardInterrupt())[1] == 130


def test_every_error_of_the_package_has_an_exit_code() -> None:
    assert explain(UsageError("x"))[1] == 2
    assert explain(PerceptionError("x"))[1] == 1


def test_no_command_shows_the_help_and_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "Usage: perception" in capsys.readouterr().out
