"""What is installed and shipped: pinned versions, licences, the wheel's content, the commands of the Makefile."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = ("3.10", "3.11", "3.12", "3.13")

# Where OpenCV's desktop libraries are missing, the Makefile puts the one in place of the other.
STAND_INS = {"opencv-python": "opencv-python-headless"}
NO_LICENCE_STATED = {"cuda-toolkit": "an empty package that only requires NVIDIA's"}
COPYLEFT = re.compile(r"\b(A?GPL|(Affero )?General Public License)", re.IGNORECASE)
WEAKER = re.compile(r"\b(LGPL|(GNU )?(Lesser|Library) General Public License)[\w.+-]*", re.IGNORECASE)


def constraint_lines() -> list[str]:
    return (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


def declared_requirements() -> list[Requirement]:
    """All of pyproject.toml: what the package needs, and what its extras need."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    everything = [Requirement(text) for texts in (PROJECT["project"]["dependencies"], *extras) for text in texts]
    # An extra may name other extras of the project itself.
    return [requirement for requirement in everything if requirement.name != PROJECT["project"]["name"]]


def pinned_versions(python: str) -> dict[str, list[str]]:
    """Name -> versions that constraints.txt asks for on Linux with this Python."""
    machine = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "extra": ""}
    environment = {**machine, "python_version": python, "python_full_version": f"{python}.9"}
    pinned: dict[str, list[str]] = {}
    for line in constraint_lines():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            pinned.setdefault(canonicalize_name(requirement.name), []).append(str(requirement.specifier))
    return pinned


def installed(name: str) -> Distribution | None:
    for candidate in (name, STAND_INS.get(name, name)):
        try:
            return distribution(candidate)
        except PackageNotFoundError:
            continue
    return None


def installed_requirements() -> Iterator[Distribution]:
    """The installed packages that the project needs, directly or not, extras included, each once."""
    waiting = [(requirement.name, requirement.extras) for requirement in declared_requirements()]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extras = waiting.pop()
        package = installed(canonicalize_name(name))
        wanted = {"", *extras} - {extra for known, extra in seen if known == canonicalize_name(name)}
        if package is None or not wanted:
            continue
        seen |= {(canonicalize_name(name), extra) for extra in wanted}
        for text in package.requires or []:
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in wanted):
                waiting.append((needed.name, needed.extras))
        yield package


def licence_of(package: Distribution) -> str:
    """What the package says of its own licence: an expression, else its name, else the first words of the text."""
    expression = package.metadata["License-Expression"]
    if expression:
        return str(expression)
    classifiers = [text for text in package.metadata.get_all("Classifier") or [] if text.startswith("License ::")]
    field = str(package.metadata["License"] or "")
    # A whole text in this field names the licences of what a wheel carries too; its beginning is the package's own.
    stated = " ".join([*classifiers, field[:100]]).strip()
    if stated:
        return stated
    texts = [path for path in package.files or [] if path.name.upper().startswith(("LICENSE", "LICENCE", "COPYING"))]
    return " ".join(texts[0].read_text(encoding="utf-8")[:200].split()) if texts else ""


def is_copyleft(licence: str) -> bool:
    """Whether the licence is GPL or AGPL, and not LGPL, and leaves no choice of another one."""
    return all(COPYLEFT.search(WEAKER.sub("", choice)) for choice in licence.split(" OR "))


def run_make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run make as a user's shell would, also where these tests were themselves started by make."""
    ours = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "SOURCE", "ARGS", "VENV", "PYTHON"}
    environment = {name: value for name, value in os.environ.items() if name not in ours} | variables
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files in a wheel that is built, without network, from a copy of what git would ship."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    unwanted = shutil.ignore_patterns("__pycache__", "*.safetensors")
    for name in ("perception", "configs", "data", "tests", "demos"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=unwanted)
    for path in sorted((ROOT / "data" / "weights").glob("*.safetensors")):
        (tree / path.relative_to(ROOT)).symlink_to(path)
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, tree / name)
    code = f"from setuptools import build_meta; build_meta.build_wheel({str(folder)!r})"
    built = subprocess.run([sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_constraints_hold_names_and_versions_only() -> None:
    form = re.compile(r"[a-z0-9-]+==[A-Za-z0-9.+!]+( ; [a-z_ ()'0-9.*<>=!A-Zx]+)?")
    assert [line for line in constraint_lines() if not form.fullmatch(line)] == []
    assert not any("://" in line or "@" in line or line.startswith("-") for line in constraint_lines())


@pytest.mark.parametrize("python", PYTHONS)
def test_every_requirement_is_pinned_once_for_each_python(python: str) -> None:
    pinned = pinned_versions(python)
    assert [requirement.name for requirement in declared_requirements() if requirement.name.lower() not in pinned] == []
    assert {name: versions for name, versions in pinned.items() if len(versions) > 1} == {}


@pytest.mark.parametrize("python", PYTHONS)
def test_pinned_versions_are_among_those_that_the_package_accepts(python: str) -> None:
    pinned = pinned_versions(python)
    for requirement in declared_requirements():
        version = pinned[canonicalize_name(requirement.name)][0].removeprefix("==")
        assert requirement.specifier.contains(version), requirement


def test_all_that_the_package_needs_is_installed_and_exactly_one_opencv() -> None:
    missing = [item.name for item in declared_requirements() if installed(canonicalize_name(item.name)) is None]
    assert missing == []
    names = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
    providers = []
    for name in names:
        try:
            providers.append(distribution(name).metadata["Name"])
        except PackageNotFoundError:
            continue
    assert len(providers) == 1, f"the folder cv2 belongs to one package only: {providers}"


def test_no_requirement_is_under_gpl_or_agpl() -> None:
    packages = {canonicalize_name(package.metadata["Name"]): package for package in installed_requirements()}
    assert {"av", "torch", "nvidia-cudnn-cu13", "sympy", "pytest"} <= packages.keys() or sys.platform != "linux"
    licences = {name: licence_of(package) for name, package in packages.items()}
    assert {name: licence for name, licence in licences.items() if is_copyleft(licence)} == {}
    assert {name for name, licence in licences.items() if not licence} <= NO_LICENCE_STATED.keys()


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("AGPL-3.0-or-later", True),
        ("GPL-2.0-only", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("GNU AFFERO GENERAL PUBLIC LICENSE Version 3", True),
        ("MIT AND GPL-3.0", True),
        ("LGPL-2.1-or-later", False),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
        ("EPL-2.0 OR GPL-2.0-or-later", False),
        ("GPL-2.0-only OR AGPL-3.0-or-later", True),
        ("BSD-3-Clause", False),
        ("MPL-2.0 AND MIT", False),
    ],
)
def test_copyleft_is_separated_from_the_rest(licence: str, expected: bool) -> None:
    assert is_copyleft(licence) is expected


def test_licence_and_notice_are_shipped() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    assert all(word in notice for word in ("x264", "FFmpeg", "Qt 5", "NVIDIA", "NanoDet-Plus", "CC BY 4.0"))


def test_the_list_of_packages_matches_the_tree() -> None:
    folders = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "perception").rglob("*.py")}
    outside = set(PROJECT["tool"]["setuptools"]["package-dir"])
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    assert listed == {folder.replace("/", ".") for folder in folders} | outside


def test_the_wheel_carries_code_weights_configurations_and_the_drive(wheel_names: set[str]) -> None:
    weights = {path.name for path in (ROOT / "data" / "weights").iterdir() if path.suffix in (".safetensors", ".yaml")}
    configs = {path.name for path in (ROOT / "configs").glob("*.yaml")}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "perception").rglob("*.py")}
    page = ROOT / "perception" / "evaluation" / "export" / "page"
    templates = {path.relative_to(ROOT).as_posix() for path in page.iterdir() if path.suffix in (".jinja", ".css")}
    expected = modules | templates | {"perception/py.typed"}
    expected |= {f"perception/data/weights/{name}" for name in weights}
    expected |= {f"perception/configs/{name}" for name in configs}
    for folder in ("rigs", "benchmarks"):
        expected |= {f"perception/configs/{folder}/{path.name}" for path in (ROOT / "configs" / folder).iterdir()}
    recording = [path for path in (ROOT / "data" / "recording").iterdir() if path.suffix in (".yaml", ".csv", ".mp4")]
    expected |= {f"perception/data/recording/{path.name}" for path in recording}
    assert {name for name in wheel_names if ".dist-info/" not in name} == expected
    assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in wheel_names}
    assert any(name.endswith("entry_points.txt") for name in wheel_names)


@pytest.fixture
def environment_that_echoes(tmp_path: Path) -> Path:
    """A folder that make takes for the environment; its ``perception`` prints its arguments."""
    command = tmp_path / "bin" / "perception"
    command.parent.mkdir()
    command.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    for name in ("bin/uv", ".installed"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.skipif(shutil.which("make") is None, reason="make is absent")
def test_make_demo_without_a_source_shows_the_bundled_drive(environment_that_echoes: Path) -> None:
    result = run_make("demo", f"VENV={environment_that_echoes}", "SOURCE=", "ARGS=--conf 0.4")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["demo", "--conf", "0.4"]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is absent")
@pytest.mark.parametrize("source", ["my clips/a drive.mp4", "rtsp://me:p$a&b@camera/1", "it's.mp4", "0"])
def test_make_demo_hands_source_and_options_on_as_typed(environment_that_echoes: Path, source: str) -> None:
    on_the_line = run_make("demo", f"VENV={environment_that_echoes}", f"SOURCE={source}", "ARGS=--conf 0.4")
    in_the_environment = run_make("demo", f"VENV={environment_that_echoes}", SOURCE=source, ARGS="--conf 0.4")
    for result in (on_the_line, in_the_environment):
        assert result.returncode == 0, result.stderr
        assert result.stdout.splitlines() == ["demo", "--source", source, "--conf", "0.4"]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is absent")
@pytest.mark.parametrize("python", ["no-such-python", "false"])
def test_a_python_that_will_not_do_is_named_with_the_remedy(tmp_path: Path, python: str) -> None:
    result = run_make("install", f"VENV={tmp_path / 'venv'}", f"PYTHON={python}")
    assert result.returncode == 2
    assert result.stderr.startswith(f"{python} is ")
    assert "PYTHON=" in result.stderr.splitlines()[0]


def test_ci_runs_what_a_developer_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111, "must be executable"
    lines = script.read_text(encoding="utf-8").splitlines()
    assert "set -euo pipefail" in lines
    assert lines[-1].endswith("make test")
