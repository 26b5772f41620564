"""README and docs/: commands parse, code compiles, names and links exist, the site builds."""

from __future__ import annotations

import ast
import importlib
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from support.documents import DOCUMENTS, ROOT, Block, blocks, inline_code, links, shell_lines, without_blocks

from perception.cli import COMMANDS, build_app
from perception.training.detector.config import DetectorTraining
from perception.training.engine.config import read_training_config
from perception.training.forecaster.config import ForecasterTraining

PACKAGE = ROOT / "perception"
README = ROOT / "README.md"
CARDS = sorted((ROOT / "data" / "weights").glob("*.yaml"))
SHELL_BLOCKS = blocks("sh")
SHELL_LINES = [(block, line) for block in SHELL_BLOCKS for line in shell_lines(block)]
PYTHON_BLOCKS = blocks("python")
ANYWHERE = {"--verbose", "--quiet", "--debug", "--help", "--version"}
MAX_WORDS = 30

by_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def perception_commands(line: str) -> list[list[str]]:
    """The words behind ``perception`` in a line of a shell, also inside a loop or behind ``torchrun``."""
    found = []
    for part in re.split(r";\s*(?:do|done)?|&&", line.replace("$(seq 3000 3009)", "3000")):
        words = shlex.split(part.replace("$n", "3000").replace("$DATA", "DATA"))
        if "perception" in words:
            found.append(words[words.index("perception") + 1 :])
    return found


def parse(words: list[str]) -> None:
    """Let the real command line read ``words`` without running anything. Raises what it raises for wrong ones."""
    words = [word for word in words if word not in ANYWHERE - {"--help", "--version"}]
    command: Any = typer.main.get_command(build_app(words))
    name, context = "perception", None
    while True:
        context = command.make_context(name, list(words), parent=context)
        if not hasattr(command, "resolve_command"):
            return
        words = [*getattr(context, "_protected_args", []), *context.args]
        if not words:
            assert command.invoke_without_command, f"{name}: needs a command"
            return
        name, command, words = command.resolve_command(context, words)


def all_options() -> set[str]:
    """Every option of every command."""

    def of(command: Any) -> Iterator[str]:
        for parameter in command.params:
            yield from (*parameter.opts, *parameter.secondary_opts)
        for inner in getattr(command, "commands", {}).values():
            yield from of(inner)

    return ANYWHERE.union(*(of(typer.main.get_command(build_app([name])).commands[name]) for name in COMMANDS))


def test_there_are_documents_of_all_kinds() -> None:
    commands = [words[0] for _, line in SHELL_LINES for words in perception_commands(line) if words]
    assert set(commands) == set(COMMANDS), "each command is shown somewhere"
    assert {block.mark for block in PYTHON_BLOCKS} >= {"", "python"}
    assert {"make demo", "make demo SOURCE=path/to/video.mp4", "make test"} <= {
        line for block, line in SHELL_LINES if block.path == README
    }


@pytest.mark.parametrize(("block", "line"), SHELL_LINES, ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_parses(block: Block, line: str) -> None:
    first = shlex.split(line)[0]
    if first == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert shlex.split(line)[1] in targets
    elif first == "python":
        assert (ROOT / shlex.split(line)[1]).is_file()
    elif first not in ("pip", "pytest"):
        commands = perception_commands(line)
        assert commands, f"{block.id}: not a command that is known here"
        for words in commands:
            parse(words)
            assert_configuration_is_valid(words)


def assert_configuration_is_valid(words: list[str]) -> None:
    """The file behind ``--config`` is there, and a training's is valid."""
    if "--config" not in words:
        return
    path = ROOT / words[words.index("--config") + 1]
    assert path.is_file()
    if words[0] == "train":
        kinds: dict[str, Any] = dict.fromkeys(("detector", "pseudo-labels"), DetectorTraining)
        kind = (kinds | {"forecaster": ForecasterTraining})[words[1]]
        read_training_config(kind, path, {})


@pytest.mark.parametrize("card", CARDS, ids=lambda path: path.stem)
def test_the_command_of_a_card_parses(card: Path) -> None:
    command = yaml.safe_load(card.read_text(encoding="utf-8"))["command"]
    for line in str(command).splitlines():
        for words in perception_commands(re.split(r"[,;] | in \w+ stages", line)[0]):
            parse(words)
            assert_configuration_is_valid(words)


@pytest.mark.parametrize(
    "words",
    [["demo", "--no-such-option"], ["no-such-command"], ["train", "no-such-network"], ["demo", "--max-frames", "few"]],
)
def test_wrong_commands_do_not_parse(words: list[str]) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|valid integer|loaded"):
        parse(words)


@by_document
def test_options_and_files_that_are_named_exist(path: Path) -> None:
    if path.name in ("CHANGELOG.md", "test-set-log.md", "changelog.md") or "history" in path.parts:
        return  # they tell of former names
    code = inline_code(path)
    named = {option for text in code for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", text)}
    assert named <= OPTIONS
    files = {text for text in code if re.fullmatch(r"(?!runs/)[\w.-]+/[\w./-]*\.(py|yaml|md|npz|safetensors)", text)}
    assert {text for text in files if not any((place / text).exists() for place in (ROOT, PACKAGE))} <= FILES_OF_USERS
    commands = {text.split()[1] for text in code if text.startswith("perception ")}
    assert {name for name in commands if name[0] != "-"} <= set(COMMANDS)


OPTIONS = all_options()
FILES_OF_USERS = {"benchmarks/*.yaml"}


@pytest.mark.parametrize("block", PYTHON_BLOCKS, ids=lambda block: block.id)
def test_python_compiles_and_imports_what_exists(block: Block) -> None:
    compile(block.text, str(block.path), "exec")
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []
        elif isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)


@by_document
def test_links_lead_somewhere(path: Path) -> None:
    for target in links(path):
        name, _, anchor = target.partition("#")
        place = (path.parent / name).resolve() if name else path
        assert place.exists(), f"{path}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", place.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, f"{path}: {target}"


def _anchor(heading: str) -> str:
    return re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def test_the_readme_is_short_and_plain() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert max(map(len, lines)) <= 120
    prose = "\n".join(line for line in without_blocks(README).splitlines() if not line.startswith(("|", "!")))
    sentences = re.split(r"(?<=[.:!?])\s+|\n\n|\n- ", prose)
    assert [text for text in sentences if len(text.split()) > MAX_WORDS] == []


def test_each_of_the_weights_has_a_card_page_and_a_row_of_results() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "models").glob("*.md")} - {"index"}
    assert pages == {card.stem for card in CARDS}
    readme = README.read_text(encoding="utf-8")
    assert all(f"\n| `{card.stem}` |" in readme for card in CARDS)


def test_a_card_is_shown_whole() -> None:
    hook = runpy.run_path(str(ROOT / "docs" / "hooks" / "model_cards.py"))
    for path in CARDS:
        card = yaml.safe_load(path.read_text(encoding="utf-8"))
        shown = hook["on_page_markdown"](f"<!-- model card: {path.stem} -->")
        told = [card["sha256"], card["licence"], *card["data"], *card["limits"], *map(str, card["figures"].values())]
        assert [text for text in told if text not in shown] == []
        assert f"[{path.stem}]({path.stem}.md)" in hook["on_page_markdown"]("<!-- model cards: table -->")
    with pytest.raises(FileNotFoundError):
        hook["on_page_markdown"]("<!-- model card: no-such-weights -->")


def test_the_figure_shows_the_folders() -> None:
    figure = (ROOT / "docs" / "images" / "architecture.svg").read_text(encoding="utf-8")
    titles = re.findall(r'class="t"[^>]*>([^<]*)<', figure)
    shown = {name for title in titles for name in title.split(" · ")} | {"pipeline"}
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= shown
    assert {name for name in shown - folders if not (PACKAGE / f"{name}.py").is_file()} == set()
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert {name for name in folders if f"| `{name}/` |" not in page} == set()


def test_the_version_and_the_authors_are_stated_once() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    assert citation["version"] == version[1]
    assert f"\n## {version[1]}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_hooks_and_the_matrix_run_what_a_developer_runs() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert local["repo"] == "local", "nothing is fetched"
    assert [hook["id"] for hook in local["hooks"]] == ["ruff", "ruff-format", "mypy"]
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == ["3.10", "3.11", "3.12", "3.13"]
    assert job["steps"][-1] == {"run": ".ci/run"}


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    for module in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(module)
    # A line of its own asks the theme not to advertise its successor on stderr.
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    built = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) > 30
    loads = re.compile(r'(?:<(?:script|img|iframe|source)\b[^>]*\bsrc|<link\b[^>]*\bhref)="?https?:[^">\s]+')
    assert [(page.name, loads.findall(page.read_text(encoding="utf-8"))) for page in pages] == [
        (page.name, []) for page in pages
    ]
    sha256 = yaml.safe_load(CARDS[0].read_text(encoding="utf-8"))["sha256"]
    assert sha256 in (tmp_path / "models" / f"{CARDS[0].stem}.html").read_text(encoding="utf-8")
    assert "build_pipeline" in (tmp_path / "api" / "pipeline.html").read_text(encoding="utf-8")
