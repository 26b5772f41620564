"""Weights files, their errors, and the cards of the bundled ones."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from perception import files as files_module
from perception import weights as weights_module
from perception.errors import PerceptionError, UsageError
from perception.files import sha256
from perception.weights import (
    bundled_cards,
    bundled_folder,
    bundled_weights,
    fingerprint,
    load_into,
    read_card,
    read_plain_state,
    read_weights,
    save_weights,
)

CONFIG = {"size": 3, "names": ["a", "b"]}


def small_state() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"weight": torch.randn(4, 3, generator=generator), "counts": torch.tensor([7, 2**40])}


def saved(path: Path, **changes: Any) -> Path:
    arguments: dict[str, Any] = {"kind": "detector", "config": CONFIG, "extras": {"feature_space": "roadnet-1"}}
    save_weights(path, small_state(), **{**arguments, **changes})
    return path


class Exploit:
    """A pickle of this makes a file when it is executed."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return Path.touch, (self.target,)  # type: ignore[return-value]


def test_round_trip(tmp_path: Path) -> None:
    found = read_weights(saved(tmp_path / "new folder" / "w.safetensors"), kind="detector")
    assert found.config == CONFIG
    assert found.extras == {"feature_space": "roadnet-1"}
    assert found.state["weight"].dtype == torch.float32
    torch.testing.assert_close(found.state["weight"], small_state()["weight"], atol=2e-3, rtol=1e-3)
    assert found.state["counts"].tolist() == [7, 2**40]


def test_disk_holds_half_precision_and_states_what_it_is(tmp_path: Path) -> None:
    with safe_open(saved(tmp_path / "w.safetensors"), framework="pt") as stream:
        assert stream.get_tensor("weight").dtype == torch.float16
        assert stream.metadata()["format"] == "perception.detector.v1"
        assert json.loads(stream.metadata()["config"]) == CONFIG


def test_the_same_weights_have_the_same_hash(tmp_path: Path) -> None:
    extras = {f"key {number}": str(number) for number in range(8)}
    hashes = {sha256(saved(tmp_path / f"{number}.safetensors", extras=extras)) for number in range(6)}
    assert len(hashes) == 1


def test_bundled_weights_go_by_their_names(tmp_path: Path) -> None:
    assert bundled_weights("roadnet") == bundled_folder() / "roadnet.safetensors"
    for name in ("no-such", "roadnet.safetensors", "../weights/roadnet", str(bundled_folder() / "roadnet")):
        assert bundled_weights(name) is None


def test_numbers_beyond_half_precision_are_kept(tmp_path: Path) -> None:
    state = {"variance": torch.tensor([1e6, 1.0])}
    save_weights(tmp_path / "w.safetensors", state, kind="detector", config={})
    assert read_weights(tmp_path / "w.safetensors", kind="detector").state["variance"].tolist() == [1e6, 1.0]


def test_views_and_shared_and_channels_last_tensors_are_saved(tmp_path: Path) -> None:
    base = torch.arange(48.0).reshape(2, 4, 2, 3)
    state = {"a": base[:, ::2], "b": base, "c": base.to(memory_format=torch.channels_last)}
    save_weights(tmp_path / "w.safetensors", state, kind="detector", config={})
    found = read_weights(tmp_path / "w.safetensors", kind="detector").state
    for name, tensor in state.items():
        torch.testing.assert_close(found[name], tensor.contiguous())


def test_weights_that_are_not_finite_are_neither_written_nor_read(tmp_path: Path) -> None:
    state = {"weight": torch.tensor([float("nan")])}
    with pytest.raises(PerceptionError, match="NaN"):
        save_weights(tmp_path / "w.safetensors", state, kind="detector", config={})
    assert not any(tmp_path.iterdir())
    save_file(state, tmp_path / "w.safetensors", metadata={"format": "perception.detector.v1", "config": "{}"})
    with pytest.raises(UsageError, match="NaN"):
        read_weights(tmp_path / "w.safetensors", kind="detector")


def test_reserved_extras_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="reserved"):
        saved(tmp_path / "w.safetensors", extras={"format": "mine"})


@pytest.mark.parametrize("keep", [0, 5, 60, -1])
def test_truncated(tmp_path: Path, keep: int) -> None:
    path = saved(tmp_path / "w.safetensors")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UsageError, match=r"w\.safetensors: is damaged"):
        read_weights(path, kind="detector")


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such weights file"):
        read_weights(tmp_path / "none.safetensors", kind="detector")
    with pytest.raises(UsageError, match="is a folder"):
        read_weights(tmp_path, kind="detector")


def test_other_kinds_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="weights of a forecaster; give weights of a detector"):
        read_weights(saved(tmp_path / "w.safetensors", kind="forecaster"), kind="detector")
    save_file(small_state(), tmp_path / "bare.safetensors")
    with pytest.raises(UsageError, match="not weights of this program"):
        read_weights(tmp_path / "bare.safetensors", kind="detector")
    save_file(small_state(), tmp_path / "v9.safetensors", metadata={"format": "perception.detector.v9", "config": "{}"})
    with pytest.raises(UsageError, match=r"perception\.detector\.v9.*newer version"):
        read_weights(tmp_path / "v9.safetensors", kind="detector")


@pytest.mark.parametrize("config", [None, "{", "[1]"])
def test_a_file_without_its_configuration(tmp_path: Path, config: str | None) -> None:
    metadata = {"format": "perception.detector.v1"} | ({} if config is None else {"config": config})
    save_file(small_state(), tmp_path / "w.safetensors", metadata=metadata)
    with pytest.raises(UsageError, match="does not state how its network is built"):
        read_weights(tmp_path / "w.safetensors", kind="detector")


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_a_pickle_is_never_executed(tmp_path: Path, writer: str) -> None:
    path, trace = tmp_path / "weights.pth", tmp_path / "executed"
    content = {"weight": Exploit(trace)}
    if writer == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(UsageError, match="pickle, which could run code"):
        read_weights(path, kind="detector")
    with pytest.raises(UsageError, match="more than plain tensors"):
        read_plain_state(path)
    assert not trace.exists()
    torch.load(path, weights_only=False) if writer == "torch" else pickle.loads(path.read_bytes())
    assert trace.exists()  # the file would indeed have done harm


def test_plain_states_of_other_origins(tmp_path: Path) -> None:
    state = small_state()
    torch.save(state, tmp_path / "w.pth")
    save_file(state, tmp_path / "w.safetensors")
    for name in ("w.pth", "w.safetensors"):
        torch.testing.assert_close(read_plain_state(tmp_path / name), state)
    torch.save({"epoch": 3, "model": state}, tmp_path / "checkpoint.pth")
    with pytest.raises(UsageError, match=r"checkpoint\.pth: is not a table of named tensors"):
        read_plain_state(tmp_path / "checkpoint.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "w.pth").read_bytes()[:-40])
    with pytest.raises(UsageError, match=r"cut\.pth: is damaged"):
        read_plain_state(tmp_path / "cut.pth")


def test_a_file_of_a_few_bytes_cannot_state_tensors_of_any_size(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1).expand(10**6, 10**6)}, tmp_path / "w.pth")
    with pytest.raises(UsageError, match=r"w\.pth: holds tensors that are larger than the file"):
        read_plain_state(tmp_path / "w.pth")


def test_an_archive_that_unpacks_to_terabytes_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"weight": torch.zeros(1 << 20)}, tmp_path / "plain.pth")
    with ZipFile(tmp_path / "plain.pth") as plain, ZipFile(tmp_path / "w.pth", "w", ZIP_DEFLATED) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    monkeypatch.setattr(weights_module, "MAX_WEIGHTS_BYTES", 1 << 20)
    with pytest.raises(UsageError, match=r"w\.pth: unpacks to more than 1 MiB"):
        read_plain_state(tmp_path / "w.pth")


@pytest.mark.parametrize("header", [b"", b"{", b'{"a":1}', b'{"w":{"dtype":"F32","shape":[99],"data_offsets":[0,4]}}'])
@pytest.mark.parametrize("stated_bytes", [None, 0, 2**27, 2**63])
def test_a_header_that_is_not_true_is_damage(tmp_path: Path, header: bytes, stated_bytes: int | None) -> None:
    path = tmp_path / "w.safetensors"
    length = len(header) if stated_bytes is None else stated_bytes
    path.write_bytes(length.to_bytes(8, "little") + header + bytes(4))
    for read in (lambda: read_weights(path, kind="detector"), lambda: read_plain_state(path)):
        with pytest.raises(UsageError, match=r"w\.safetensors: (is damaged|are not weights)"):
            read()


def test_load_into_names_what_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    model = nn.Linear(3, 4)
    save_weights(path, model.state_dict(), kind="forecaster", config={})
    found = read_weights(path, kind="forecaster")
    twin = nn.Linear(3, 4)
    load_into(twin, found, path)
    torch.testing.assert_close(twin.weight, model.weight, atol=2e-3, rtol=1e-3)
    with pytest.raises(UsageError, match=r"w\.safetensors: its tensors do not fit Linear \(size mismatch for weight"):
        load_into(nn.Linear(5, 4), found, path)
    with pytest.raises(UsageError, match="do not fit Linear"):
        load_into(nn.Linear(3, 4, bias=False), found, path)


def test_fingerprint_survives_the_disk_and_sees_every_change(tmp_path: Path) -> None:
    state = small_state()
    name = fingerprint(state)
    assert len(name) == 8
    assert fingerprint(read_weights(saved(tmp_path / "w.safetensors"), kind="detector").state) == name
    assert fingerprint(dict(reversed(state.items()))) == name
    assert fingerprint({**state, "counts": torch.tensor([7, 8])}) != name
    assert fingerprint({"other": state["weight"], "counts": state["counts"]}) != name


def card_values(path: Path) -> dict[str, Any]:
    return {
        "name": path.stem,
        "kind": "detector",
        "description": "Finds road users.",
        "licence": "Apache-2.0",
        "data": ["drives, CC BY 4.0"],
        "command": "perception train detector",
        "seed": 0,
        "parameters": 14,
        "figures": {"AP50 drives": 0.5, "note": "one seed"},
        "sha256": sha256(path) if path.is_file() else "0" * 64,
        "limits": ["night"],
    }


def write_card(path: Path, **changes: Any) -> Path:
    card = path.with_suffix(".yaml")
    card.write_text(yaml.safe_dump({**card_values(path), **changes}))
    return card


def test_cards_and_whether_files_are_intact(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.safetensors")
    write_card(path)
    write_card(tmp_path / "gone.safetensors")
    gone, here = bundled_cards(tmp_path)
    assert (gone.card.name, here.card.name) == ("gone", "net")
    assert here.card.figures == {"AP50 drives": 0.5, "note": "one seed"}
    assert here.is_intact() and not gone.is_intact()
    path.write_bytes(path.read_bytes() + b" ")
    assert not here.is_intact()


def test_a_file_without_card_is_an_error(tmp_path: Path) -> None:
    saved(tmp_path / "net.safetensors")
    with pytest.raises(PerceptionError, match=r"net\.safetensors: has no card; write net\.yaml"):
        bundled_cards(tmp_path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"kind": "tracker"}, "kind"),
        ({"parameters": 0}, "parameters"),
        ({"sha256": "abc"}, "sha256"),
        ({"colour": "red"}, "colour"),
        ({"seed": None}, "seed"),
    ],
)
def test_a_wrong_card_names_the_field(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    card = write_card(tmp_path / "net.safetensors", **changes)
    with pytest.raises(PerceptionError, match=rf"net\.yaml: {named}: "):
        read_card(card)


@pytest.mark.parametrize("content", [b"\xff\xfe\xff", b"a: [", b"just text"])
def test_a_card_that_is_no_card(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.yaml").write_bytes(content)
    with pytest.raises(PerceptionError, match=r"net\.yaml: "):
        read_card(tmp_path / "net.yaml")


@pytest.mark.parametrize("place", ["perception/data/weights", "data/weights"])
def test_bundled_folder_of_a_wheel_and_of_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "perception").mkdir()
    monkeypatch.setattr(files_module, "__file__", str(tmp_path / "perception" / "files.py"))
    with pytest.raises(PerceptionError, match="install the package again"):
        bundled_folder()
    (tmp_path / place).mkdir(parents=True)
    assert bundled_folder() == tmp_path / place


def test_the_projects_own_weights_are_what_their_cards_state() -> None:
    own = bundled_cards()
    if not own:
        pytest.skip("no weights are bundled yet")
    for bundled in own:
        assert bundled.is_intact(), bundled.path
        found = read_weights(bundled.path, kind=bundled.card.kind)
        count = sum(int(np.prod(tensor.shape)) for tensor in found.state.values() if tensor.is_floating_point())
        # Batch norms also store their running mean and variance, which are no parameters.
        assert 0.95 * count <= bundled.card.parameters <= count
