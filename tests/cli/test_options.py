"""Options are the fields of a configuration: one place says what there is."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer
from support.commands import BOXES_OPTIONS, Command, names_in

from perception.cli.options import PANELS
from perception.cli.options import command as as_command
from perception.cli.terminal import Terminal
from perception.cli.train import app as train_app
from perception.cli.train.common import TrainingOptions
from perception.pipeline.config import BenchConfig, EvaluateConfig, RunConfig, StreamConfig

KINDS = (RunConfig, StreamConfig, EvaluateConfig, BenchConfig)


def parameters_of(kind: type[RunConfig], **options: Any) -> dict[str, Any]:
    """The options of a command with a configuration of this kind, as typer knows them."""

    @as_command(kind, **options)
    def run(config: RunConfig, terminal: Terminal) -> None:
        """Run."""

    app = typer.Typer(add_completion=False)
    app.command()(run)
    return {parameter.name: parameter for parameter in typer.main.get_command(app).params}


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_an_option_with_a_help(kind: type[RunConfig]) -> None:
    parameters = parameters_of(kind)
    assert set(parameters) - {"help"} == {*kind.model_fields, "config"}
    for name, parameter in parameters.items():
        assert parameter.help, name
        assert all(option.startswith("--") for option in parameter.opts), name


def test_every_field_stands_under_one_heading_and_no_heading_names_another() -> None:
    named = [name for names in PANELS.values() for name in names]
    assert len(named) == len(set(named))
    assert set(named) == {"config"}.union(*(kind.model_fields for kind in KINDS))


def test_a_field_that_no_heading_names_is_an_error() -> None:
    class Own(RunConfig):
        flavour: str = "sweet"

    with pytest.raises(ValueError, match="Own, flavour"):
        parameters_of(Own)


def test_some_fields_have_no_option() -> None:
    assert "show" not in parameters_of(EvaluateConfig, without=["show"])


def test_both_trainings_share_their_options() -> None:
    commands = typer.main.get_command(train_app).commands  # type: ignore[attr-defined]
    detector, forecaster = ({p.name: p for p in commands[name].params} for name in ("detector", "forecaster"))
    shared = {field.name for field in fields(TrainingOptions)}
    assert set(detector) & set(forecaster) - {"help"} == shared
    for name in shared:
        assert detector[name].help and detector[name].help == forecaster[name].help
        assert (detector[name].opts, detector[name].default) == (forecaster[name].opts, forecaster[name].default)


def test_options_are_called_as_people_know_them() -> None:
    parameters = parameters_of(StreamConfig)
    assert parameters["duration_s"].opts == ["--duration"]
    assert parameters["max_frames"].opts == ["--max-frames"]
    assert (parameters["half"].opts, parameters["half"].secondary_opts) == (["--half"], ["--no-half"])
    assert parameters_of(BenchConfig)["peers"].opts == ["--peer"]


def run_with(arguments: list[str], folder: Path) -> EvaluateConfig:
    seen: list[tuple[EvaluateConfig, list[Path] | None]] = []

    @as_command(EvaluateConfig)
    def run(config: EvaluateConfig, terminal: Terminal, recording: list[Path] | None = None) -> None:
        """Run."""
        seen.append((config, recording))

    app = typer.Typer(add_completion=False)
    app.command()(run)
    app(arguments, standalone_mode=False)
    (found,) = seen
    return found[0]


def test_the_command_line_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("conf: 0.5\nstride: 3\nclasses: [bus]\nsave: false\n")
    config = run_with(["--config", str(path), "--stride", "2", "--save"], tmp_path)
    assert (config.conf, config.stride, config.classes, config.save, config.iou) == (0.5, 2, ["bus"], True, 0.5)


def test_lists_are_repeated_or_have_commas(tmp_path: Path) -> None:
    config = run_with(["--source", "a.mp4", "--source", "b.mp4", "--classes", "car, bus"], tmp_path)
    assert config.source == ["a.mp4", "b.mp4"]
    assert config.classes == ["car", "bus"]


def test_quiet_leaves_the_path_alone(command: Command, boxes_command: Command, street: Path) -> None:
    ran = command("--quiet", "demo", *BOXES_OPTIONS, "--source", street)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{ran.folder}\n"
    assert "scene.mp4" in names_in(ran.folder)
    refused = boxes_command("demo", "--source", "none.mp4", "--quiet")
    assert refused.code == 2
    assert refused.err.startswith("Error: ")


def test_verbose_logs_what_the_library_does(boxes_command: Command, street: Path) -> None:
    ran = boxes_command("demo", "--source", street, "--verbose")
    assert ran.code == 0
    assert re.search(r"^INFO perception\.pipeline\.inputs: opened street: cameras street, ", ran.err, re.M)
    assert re.search(r"^INFO perception\.runtime\.runner: street: complete after 24 instants", ran.err, re.M)
    assert re.search(r"^DEBUG perception\.files: wrote runs/demo/street/report\.json", ran.err, re.M)
    silent = boxes_command("demo", "--source", street)
    assert "perception.runtime" not in silent.err
