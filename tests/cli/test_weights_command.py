"""``perception weights`` as a user types it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
import yaml
from support.weights_server import ServedFile, serve
from typer.testing import CliRunner

from perception import files as files_module
from perception.cli.weights import app
from perception.detection import model_zoo as catalogue
from perception.detection.backends.layouts.recognition import known_layouts
from perception.errors import PerceptionError, UsageError
from perception.weights import save_weights

NAME = "ssdlite320_mobilenet_v3_large"


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with one bundled file, an empty cache, a terminal of 80 columns."""
    path = tmp_path / "data" / "weights" / "roadnet.safetensors"
    path.parent.mkdir(parents=True)
    tensors = {"weight": torch.zeros(350_000)}
    save_weights(path, tensors, kind="detector", config={"classes": ["car", "bus"]})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    card = {
        "name": "roadnet",
        "kind": "detector",
        "description": "A network.",
        "licence": "Apache-2.0",
        "data": [],
        "command": "",
        "seed": 0,
    }
    card |= {"parameters": 1, "figures": {"AP50 drives": 0.731}, "sha256": digest, "limits": []}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(card))
    (tmp_path / "perception").mkdir()
    monkeypatch.setattr(files_module, "__file__", str(tmp_path / "perception" / "files.py"))
    monkeypatch.setenv("PERCEPTION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return path


@pytest.mark.parametrize("arguments", [[], ["list"]])
def test_the_table_has_one_row_per_model_in_80_columns(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert max(map(len, lines)) <= 80
    (row,) = [line for line in lines if "roadnet" in line]
    assert row.split() == ["roadnet", "0.7", "2", "Apache-2.0", "bundled"]
    for entry in catalogue.fetchable_detectors():
        (row,) = [line for line in lines if line.split()[:1] == [entry.name]]
        assert row.split()[1:] == [f"{entry.size_mb:.1f}", "6", "of", "80", "BSD-3-Clause", "to", "fetch"]


def test_public_files_of_others_are_listed_with_their_layouts_and_documented() -> None:
    result = CliRunner().invoke(app, [])
    page = (Path(__file__).parents[2] / "docs" / "extend" / "detector.md").read_text(encoding="utf-8")
    for file in catalogue.PUBLIC_FILES:
        assert file.layout in known_layouts()
        (row,) = [line for line in result.output.splitlines() if line.startswith(f"{file.name}  ")]
        assert file.layout in row and file.licence[:10] in row
        assert f"| {file.name} | {file.layout} | {file.box_map}" in page
        assert f"| {file.origin} | {file.licence} |" in page


def test_a_missing_and_a_damaged_file_are_listed_as_such(package: Path) -> None:
    content = package.read_bytes()
    package.unlink()
    assert "missing" in CliRunner().invoke(app, []).output
    package.write_bytes(content[:100])
    assert "damaged" in CliRunner().invoke(app, []).output


def test_the_details_of_a_model(package: Path) -> None:
    result = CliRunner().invoke(app, ["show", "roadnet"])
    assert result.exit_code == 0, result.output
    assert max(map(len, result.output.splitlines())) <= 80
    text = " ".join(result.output.split())
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    for part in ("A network.", "as published", "Apache-2.0", digest, "- AP50 drives: 0.731"):
        assert part in text
    package.write_bytes(package.read_bytes()[:-1] + b"1")
    assert "CHANGED" in CliRunner().invoke(app, ["show", "roadnet"]).output
    text = "".join(CliRunner().invoke(app, ["show", NAME]).output.split())
    assert "a79551df" in text and "boxmAP21.3" in text and "https://download.pytorch.org/models/" in text
    unknown = CliRunner().invoke(app, ["show", "roadnett"])
    assert isinstance(unknown.exception, UsageError) and "did you mean roadnet" in str(unknown.exception)


def test_fetching_shows_the_hash_and_then_the_table_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"tensors" * 1000
    digest = hashlib.sha256(content).hexdigest()
    # The published hash stands for the content; here the content is given, so the hash has to follow it.
    entry = catalogue.find_fetchable(NAME)
    served_entry = catalogue.FetchableWeights(
        entry.name, f"http://nowhere/net-{digest[:8]}.pth", digest[:8], 1, entry.box_map, entry.parameters
    )

    def entries(*, base_url: str = "") -> list[catalogue.FetchableWeights]:
        url = f"{base_url}/{served_entry.file_name}"
        return [catalogue.FetchableWeights(NAME, url, digest[:8], 1, entry.box_map, entry.parameters)]

    monkeypatch.setattr(catalogue, "fetchable_detectors", entries)
    with serve(ServedFile(content, drops=[100])) as served:
        result = CliRunner().invoke(app, ["fetch", NAME, "--base-url", served.url])
        assert result.exit_code == 0, result.output
        assert served.starts == [0, 100]
    path = served_entry.cached_path()
    assert path is not None
    assert digest in result.output and result.output.rstrip().endswith(str(path))
    assert path.read_bytes() == content
    again = CliRunner().invoke(app, ["fetch", NAME])
    assert again.exit_code == 0 and "in the cache already" in again.output
    assert CliRunner().invoke(app, ["verify"]).exit_code == 0
    path.write_bytes(b"changed")
    assert isinstance(CliRunner().invoke(app, ["verify"]).exception, PerceptionError)


def test_wrong_content_and_wrong_names_are_errors() -> None:
    with serve(ServedFile(b"not the weights")) as served:
        result = CliRunner().invoke(app, ["fetch", NAME, "--base-url", served.url])
    assert isinstance(result.exception, PerceptionError) and "removed" in str(result.exception)
    folder = catalogue.cache_folder()
    assert folder is not None and not any(folder.iterdir())
    for name, sentence in [("roadnet", "is bundled"), ("ssdlite320", "did you mean ssdlite320_mobilenet_v3_large")]:
        result = CliRunner().invoke(app, ["fetch", name])
        assert isinstance(result.exception, UsageError) and sentence in str(result.exception)


def test_verify_names_the_file_that_was_changed(package: Path) -> None:
    result = CliRunner().invoke(app, ["verify"])
    assert result.exit_code == 0 and "As published: 1 file" in result.output
    package.write_bytes(b"other")
    result = CliRunner().invoke(app, ["verify"])
    assert isinstance(result.exception, PerceptionError) and "roadnet.safetensors" in str(result.exception)
    assert "CHANGED" in result.output
    package.unlink()
    assert isinstance(CliRunner().invoke(app, ["verify"]).exception, PerceptionError)
