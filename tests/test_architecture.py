"""The rules of the design, read from the code: who may import whom, folders, docstrings, no stray printing."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "perception"
FOUNDATION = {
    "arrays",
    "class_names",
    "cpu",
    "errors",
    "files",
    "geometry",
    "tables",
    "state_layout",
    "plugins",
    "protocols",
    "safety",
    "taxonomy",
    "types",
    "weights",
}
STAGES = {"sources", "detection", "egomotion", "tracking", "forecasting", "visualization", "results"}
# Each may import what stands before it, stages only the foundation; nothing imports the command line.
ORDER = [
    FOUNDATION,
    STAGES,
    {"pipeline"},
    {"evaluation"},
    {"simulation", "benchmarks"},
    {"runtime"},
    {"profiling", "training"},
    {"cli"},
]
PROTOCOLS_ONLY = ("perception.pipeline.pipeline", "perception.pipeline.prefetch")
MAX_FILES = 13
# Written so that this file does not hold the names that it forbids.
REGISTRY = re.compile(r"(py(pi)|python(hosted)|np(mjs)|ana(conda)|crat(es))\.(org|com|io)\b|py(torch)\.org/whl")
# ``torchrun`` is not ours: what it was told wrong is told in its own words.
OPTION = re.compile(r"(?<![\w-])--(?!nproc-per-node)[a-z]")
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|opt|root|home)/\w")
TEXT_FILES = (
    *("ARCHITECTURE.md", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "Makefile", "NOTICE", "README.md"),
    *(
        "SECURITY.md",
        "constraints.txt",
        "mkdocs.yml",
        "pyproject.toml",
        ".ci/run",
        ".github/workflows/ci.yml",
        ".pre-commit-config.yaml",
    ),
)


@cache
def parsed(path: Path) -> ast.Module:
    """Of each file once: many rules look at it."""
    return ast.parse(path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    """``perception/sources/video.py`` -> ``perception.sources.files.video``."""
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


def package_imports(path: Path) -> set[str]:
    """Modules and packages of ours that a file imports, without the names taken from them."""
    names = imported_modules(parsed(path), module_name(path), is_package=path.name == "__init__.py")
    found = set()
    for name in names:
        while name not in KNOWN and "." in name:
            name = name.rpartition(".")[0]
        found.add(name)
    return {name for name in found if name.startswith("perception.")}


def parts_imported(path: Path) -> set[str]:
    """The parts of the package (first name after ``perception.``) that a file imports."""
    return {name.split(".")[1] for name in package_imports(path)}


def neighbours(folder: Path) -> dict[str, set[str]]:
    """Which file or folder of ``folder`` imports which other one, by their names."""
    prefix = module_name(folder / "__init__.py") + "."
    edges: dict[str, set[str]] = {}
    for path in folder.rglob("*.py"):
        name = (module_name(path) + ".").removeprefix(prefix).partition(".")[0]
        if path.parent == folder and path.name == "__init__.py":
            continue  # it only hands names on
        inside = {
            other.removeprefix(prefix).partition(".")[0] for other in package_imports(path) if other.startswith(prefix)
        }
        edges.setdefault(name, set()).update(inside - {name})
    return edges


def circle(edges: dict[str, set[str]]) -> list[str]:
    """The names of one circle, in order; empty where there is none."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> list[str]:
        if name in way:
            return way[way.index(name) :]
        if name not in done:
            for other in sorted(edges.get(name, ())):
                if found := walk(other, [*way, name]):
                    return found
            done.add(name)
        return []

    return next((found for name in sorted(edges) if (found := walk(name, []))), [])


def print_calls(tree: ast.AST) -> list[int]:
    """The lines where the built-in ``print`` is called."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def loader_calls(tree: ast.AST) -> list[int]:
    """The lines where PyYAML or ``json`` reads a file or text."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and getattr(node.value, "id", "") in ("json", "yaml")
        and (node.attr in ("load", "loads", "load_all", "JSONDecoder") or node.attr.startswith("safe_load"))
    ]


def options_in_errors(tree: ast.AST) -> list[int]:
    """The lines of errors made (``...Error(...)``) whose text names an option of the command line."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and str(getattr(node.func, "id", getattr(node.func, "attr", ""))).endswith(
            "Error"
        ):
            texts = [str(part.value) for part in ast.walk(node) if isinstance(part, ast.Constant)]
            found += [node.lineno for text in texts if OPTION.search(text)]
    return found


def undocumented(tree: ast.Module, name: str) -> list[str]:
    """The module, and its public functions and classes, that have no docstring."""
    public = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not any(getattr(decorator, "id", "") == "overload" for decorator in node.decorator_list)
    ]
    missing = [] if ast.get_docstring(tree) else [name]
    return missing + [f"{name}.{node.name}" for node in public if not ast.get_docstring(node)]


MODULES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES})
KNOWN = {module_name(path) for path in MODULES}
by_path = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
by_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))


def test_every_part_has_a_place_in_the_order() -> None:
    parts = {module_name(path).split(".")[1] for path in MODULES if path.parent != PACKAGE or path.stem != "__init__"}
    assert parts - {"__main__"} == set().union(*ORDER)


@by_path
def test_imports_keep_to_one_direction(path: Path) -> None:
    name = module_name(path)
    part = name.partition(".")[2].partition(".")[0]
    if part in ("", "__main__"):
        return
    floor = next(number for number, parts in enumerate(ORDER) if part in parts)
    below = set().union(*ORDER[:floor])
    same = FOUNDATION if part in FOUNDATION else {part}
    assert parts_imported(path) <= below | same, f"{path}: may import only {sorted(below | same)}"
    if name in PROTOCOLS_ONLY:
        assert parts_imported(path) <= FOUNDATION | {"pipeline"}, f"{path}: knows protocols only"


@by_folder
def test_no_two_files_or_folders_import_each_other(folder: Path) -> None:
    assert circle(neighbours(folder)) == []


@by_folder
def test_folders_have_few_files(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MAX_FILES


@by_path
def test_only_the_command_line_prints(path: Path) -> None:
    lines = print_calls(parsed(path))
    assert not lines or "cli" in path.relative_to(PACKAGE).parts, f"{path}: print( in lines {lines}"


@by_path
def test_only_the_command_line_and_the_report_draw_tables(path: Path) -> None:
    modules = imported_modules(parsed(path), module_name(path), is_package=False)
    draws = any(name.startswith("rich.table") for name in modules)
    assert not draws or {"cli", "report"} & set(path.relative_to(PACKAGE).parts), f"{path}: draws tables"


@by_path
def test_errors_of_the_library_name_fields_and_no_options(path: Path) -> None:
    lines = options_in_errors(parsed(path))
    assert not lines or "cli" in path.relative_to(PACKAGE).parts, f"{path}: options in lines {lines}"


@by_path
def test_the_library_has_no_log_handlers(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "cli" in path.relative_to(PACKAGE).parts or not re.search(
        r"addHandler|basicConfig|logging\.\w*Handler", text
    ), path
    for name in re.findall(r"getLogger\((.*?)\)", text):
        assert name == "__name__" or path == PACKAGE / "cli" / "terminal.py", f"{path}: getLogger({name})"


@by_path
def test_yaml_and_json_are_read_in_one_place(path: Path) -> None:
    lines = loader_calls(parsed(path))
    assert not lines or path == PACKAGE / "files.py", f"{path}: use perception.files in lines {lines}"


@by_path
def test_all_that_is_public_has_a_docstring(path: Path) -> None:
    assert undocumented(parsed(path), module_name(path)) == []


@pytest.mark.parametrize("name", TEXT_FILES)
def test_project_files_name_no_registry_and_no_machine(name: str) -> None:
    assert_names_no_place(ROOT / name)


@pytest.mark.parametrize("folder", ["perception", "configs", "demos", "docs", "tests"])
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


def test_circles_are_seen() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_prints_and_missing_docstrings_are_seen() -> None:
    code = ast.parse('"""Doc."""\ndef open_it(): print(1)\ndef _hidden(): self.print(2)\nclass Known:\n    """Doc."""')
    assert print_calls(code) == [2]
    assert undocumented(code, "m") == ["m.open_it"]
    assert undocumented(ast.parse("x = 1"), "m") == ["m"]


def test_loaders_of_yaml_and_json_are_seen() -> None:
    code = ast.parse("json.loads(a)\nyaml.safe_load(a)\nyaml.safe_dump(a)\njson.load(a)\nmap(json.loads, a)")
    assert loader_calls(code) == [1, 2, 4, 5]


def test_options_in_errors_are_seen() -> None:
    code = 'x = "--conf"\nraise UsageError(f"--conf {x}: too high.")\nraise errors.PerceptionError("give " + "--rig")'
    assert options_in_errors(ast.parse(code)) == [2, 3]
    assert options_in_errors(ast.parse('UsageError("twenty--five; give a `rig`.", field="conf")')) == []


def test_registries_and_machine_paths_are_seen() -> None:
    assert REGISTRY.search("https://py" + "pi.org/simple")
    assert REGISTRY.search("https://download.py" + "torch.org/whl")
    assert MACHINE_PATH.search("open('/ro" + "ot/x')")
    assert not REGISTRY.search("https://download.py" + "torch.org/models")
    assert not MACHINE_PATH.search("frames/work/left.png, network/home")
