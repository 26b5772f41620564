"""The rules of the design, read from the code: who may import whom, sizes, docstrings, no stray printing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "perception"
STAGES = ("sources", "detection", "tracking", "forecasting", "outputs")
IMPLEMENTATIONS = {*STAGES, "training", "evaluation", "simulation", "cli"}
FOUNDATION = {"types", "camera", "cuboids", "lens", "errors", "files", "weights"}
MAX_LINES = 330
# The one page that fixes what all parts agree on reads better in one piece.
LONGER_FILES = {"perception/types.py": 480}
# Written so that this file does not hold the names that it forbids.
REGISTRY = re.compile(r"(py(pi)|python(hosted)|np(mjs)|ana(conda)|crat(es))\.(org|com|io)\b|py(torch)\.org/whl")
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|opt|root|home)/\w")
TEXT_FILES = ("Makefile", "NOTICE", "README.md", "constraints.txt", "pyproject.toml", ".ci/run")


def module_name(path: Path) -> str:
    """``perception/sources/video.py`` -> ``perception.sources.video``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(tree: ast.AST, module: str, *, is_package: bool) -> set[str]:
    """Full names of all that a module imports, anywhere in it; relative imports are resolved."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: None if is_package and node.level == 1 else is_package - node.level]
                base = ".".join([*parents, base] if base else parents)
            found.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("import_module", "__import__"):
                found.add(str(node.args[0].value))
    return found


def parts_imported(path: Path) -> set[str]:
    """The parts of the package (first name after ``perception.``) that a file imports."""
    names = imported_modules(
        ast.parse(path.read_text(encoding="utf-8")), module_name(path), is_package=path.name == "__init__.py"
    )
    return {name.split(".")[1] for name in names if name.startswith("perception.")}


def print_calls(tree: ast.AST) -> list[int]:
    """The lines where the built-in ``print`` is called."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def undocumented(tree: ast.Module, name: str) -> list[str]:
    """The module, and its public functions and classes, that have no docstring."""
    public = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    missing = [] if ast.get_docstring(tree) else [name]
    return missing + [f"{name}.{node.name}" for node in public if not ast.get_docstring(node)]


MODULES = sorted(PACKAGE.rglob("*.py"))
by_path = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))


def test_the_stages_and_the_foundation_are_there() -> None:
    folders = {path.parent.name for path in MODULES}
    assert set(STAGES) <= folders
    assert all((PACKAGE / f"{name}.py").is_file() for name in ("types", "errors", "files", "weights", "pipeline"))


@by_path
def test_imports_keep_to_the_direction_of_the_data(path: Path) -> None:
    part = module_name(path).partition(".")[2].partition(".")[0]
    imported = parts_imported(path) - {part}
    if part in STAGES or part in FOUNDATION:
        assert imported <= FOUNDATION, f"{path}: a stage may import only {sorted(FOUNDATION)} of the package"
    if part == "pipeline":
        assert not imported & IMPLEMENTATIONS, f"{path}: the pipeline knows protocols only"
    if part != "__main__":
        assert "cli" not in imported, f"{path}: nothing imports the command line"


@by_path
def test_file_is_short_enough_to_read(path: Path) -> None:
    limit = LONGER_FILES.get(path.relative_to(ROOT).as_posix(), MAX_LINES)
    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit


@by_path
def test_only_the_command_line_prints(path: Path) -> None:
    lines = print_calls(ast.parse(path.read_text(encoding="utf-8")))
    assert not lines or "cli" in path.relative_to(PACKAGE).parts, f"{path}: print( in lines {lines}"


@by_path
def test_all_that_is_public_has_a_docstring(path: Path) -> None:
    assert undocumented(ast.parse(path.read_text(encoding="utf-8")), module_name(path)) == []


@pytest.mark.parametrize("name", TEXT_FILES)
def test_project_files_name_no_registry_and_no_machine(name: str) -> None:
    assert_names_no_place(ROOT / name)


@pytest.mark.parametrize("folder", ["perception", "configs", "demos", "tests"])
def test_folders_name_no_registry_and_no_machine(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix in (".py", ".yaml", ".md"):
            assert_names_no_place(path)


def assert_names_no_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not REGISTRY.search(text), f"{path} names a package registry: {REGISTRY.search(text)}"
    assert not MACHINE_PATH.search(text), f"{path} names a path of one machine: {MACHINE_PATH.search(text)}"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import perception.tracking", {"perception.tracking"}),
        ("from perception import cli", {"perception.cli"}),
        ("def f():\n    from perception.cli import main", {"perception.cli.main"}),
        ("from ..tracking.kalman import x", {"perception.tracking.kalman.x"}),
        ("from .. import cli", {"perception.cli"}),
        ("from . import video", {"perception.sources.video"}),
        ("import importlib\nimportlib.import_module('perception.cli')", {"importlib", "perception.cli"}),
    ],
)
def test_every_form_of_import_is_seen(code: str, expected: set[str]) -> None:
    assert imported_modules(ast.parse(code), "perception.sources.opening", is_package=False) == expected


def test_relative_imports_of_a_folder_are_seen() -> None:
    code = ast.parse("from .video import a\nfrom ..cli import b")
    found = imported_modules(code, "perception.sources", is_package=True)
    assert found == {"perception.sources.video.a", "perception.cli.b"}


def test_prints_and_missing_docstrings_are_seen() -> None:
    code = ast.parse('"""Doc."""\ndef open_it(): print(1)\ndef _hidden(): self.print(2)\nclass Known:\n    """Doc."""')
    assert print_calls(code) == [2]
    assert undocumented(code, "m") == ["m.open_it"]
    assert undocumented(ast.parse("x = 1"), "m") == ["m"]


def test_registries_and_machine_paths_are_seen() -> None:
    assert REGISTRY.search("https://py" + "pi.org/simple")
    assert REGISTRY.search("https://download.py" + "torch.org/whl")
    assert MACHINE_PATH.search("open('/ro" + "ot/x')")
    assert not REGISTRY.search("https://download.py" + "torch.org/models")
    assert not MACHINE_PATH.search("frames/work/left.png, network/home")
