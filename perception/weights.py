"""Weights on disk: safetensors that state what they are, each bundled file with a card beside it.

Our own files hold half-precision tensors and, as metadata, ``format`` ("perception.<kind>.v1"), ``config`` (JSON, what
the network is built from) and further strings such as ``feature_space``. Nothing here ever executes a pickle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar
from zipfile import BadZipFile, ZipFile

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from perception.errors import PerceptionError, UsageError
from perception.files import atomic_write, bundled, parse_json, read_yaml, sha256
from perception.safety.input_limits import MAX_HEADER_BYTES, MAX_WEIGHTS_BYTES
from perception.safety.regular_files import open_regular

WEIGHTS_SUFFIX = ".safetensors"

_RESERVED = ("format", "config")
_ZIP_START = b"PK\x03\x04"
_DAMAGE = (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError)
"""What safetensors and PyTorch raise for a file whose header is not true."""

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class WeightsFile:
    """``state`` float32 tensors by name, ``config`` what the network is built from, ``extras`` further strings."""

    state: dict[str, Tensor]
    config: dict[str, Any]
    extras: dict[str, str]


def save_weights(
    path: Path,
    state_dict: Mapping[str, Tensor],
    *,
    kind: str,
    config: Mapping[str, Any],
    extras: Mapping[str, str] | None = None,
) -> None:
    """Write tensors in half precision; one that holds numbers beyond its range (65504) stays float32.

    ``kind`` is "detector" or "forecaster". Raises ``PerceptionError`` when a tensor holds NaN or infinity or the file
    cannot be written, ``ValueError`` when ``extras`` use a reserved name.
    """
    extras = dict(extras or {})
    if set(extras) & set(_RESERVED):
        raise ValueError(f"extras: {' and '.join(_RESERVED)} are reserved, got {sorted(extras)}")
    tensors = {name: _for_disk(tensor.detach().cpu()) for name, tensor in state_dict.items()}
    broken = [name for name, tensor in tensors.items() if not _is_finite(tensor)]
    if broken:
        raise PerceptionError(f"{path}: not written, because {broken[0]} holds NaN or infinity; train again.")
    metadata = {"format": _format_of(kind), "config": json.dumps(dict(config)), **extras}
    content = _in_fixed_order(save(tensors, metadata))
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def _in_fixed_order(content: bytes) -> bytes:
    """The same safetensors file with its metadata sorted: safetensors writes them in an order that chance decides, and
    the same weights are to have the same hash."""
    size = int.from_bytes(content[:8], "little")
    header = parse_json(content[8 : 8 + size].decode())
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # as the format wants it
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def weights_kind(path: Path) -> str:
    """ "detector" or "forecaster", as the file states itself.

    Raises ``UsageError`` when the file is missing, damaged, or not ours.
    """
    _check_file(path)
    try:
        with safe_open(path, framework="pt") as stream:
            found = (stream.metadata() or {}).get("format", "")
    except _DAMAGE as error:
        raise _damaged(path) from error
    parts = found.split(".")
    if len(parts) != 3 or parts[0] != "perception":
        raise UsageError(f"{path}: are not weights of this program; give a file that `perception train` wrote.")
    return str(parts[1])


def read_weights(path: Path, *, kind: str) -> WeightsFile:
    """Read what ``save_weights`` wrote, as float32.

    Raises ``UsageError`` when the file is missing, damaged, a pickle, not ours, or of another kind.
    """
    metadata = _read_metadata(path, kind)
    config = _config_of(metadata, path)
    try:
        with safe_open(path, framework="pt") as stream:
            state = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118, it has no __iter__
        state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    except _DAMAGE as error:
        raise _damaged(path) from error
    if not all(_is_finite(tensor) for tensor in state.values()):
        raise UsageError(f"{path}: holds NaN or infinity; take weights of a training that went well.")
    return WeightsFile(state, config, {name: text for name, text in metadata.items() if name not in _RESERVED})


def read_config(path: Path, *, kind: str) -> dict[str, Any]:
    """What the network of ``read_weights`` is built from, without reading its tensors. Raises as ``read_weights``."""
    return _config_of(_read_metadata(path, kind), path)


def read_plain_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of another origin, safetensors or a PyTorch file of tensors alone.

    A pickle is read with ``weights_only=True``: what it would execute is refused. Raises ``UsageError`` when the file
    is missing, damaged, or anything but named tensors.
    """
    _check_file(path)
    try:
        if path.suffix == WEIGHTS_SUFFIX:
            state: object = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a damaged file; all mean the same to the user
        raise UsageError(
            f"{path}: is damaged, or holds more than plain tensors; copy or fetch it again from a source you trust."
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise UsageError(f"{path}: is not a table of named tensors; save the network's state_dict() alone.")
    # A few bytes can state a tensor of any size, all of whose numbers are one.
    if any(tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes() for tensor in state.values()):
        raise UsageError(f"{path}: holds tensors that are larger than the file; save the network's state_dict() alone.")
    return dict(state)


def loaded(make: Callable[[], Network], weights: WeightsFile, path: Path) -> Network:
    """The network that ``make`` builds, with the tensors of ``weights``; ``path`` is what an error names.

    Nothing is built before all shapes are found to be those of the file, so that no stated size costs more memory than
    the file has bytes. Raises ``UsageError`` when names or shapes differ, or no network can be built.
    """
    try:
        with torch.device("meta"):
            outline = make()
    except (RuntimeError, TypeError, ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise UsageError(f"{path}: states a network that cannot be built; give weights of this version.") from error
    load_into(outline, weights, path, assign=True)
    model = make()
    load_into(model, weights, path)
    return model


def load_into(
    model: nn.Module, weights: WeightsFile | Mapping[str, Tensor], path: Path, *, assign: bool = False
) -> None:
    """Put the tensors into ``model``, or ``assign`` them in place of its own; ``path`` is what an error names.

    Raises ``UsageError`` when names or shapes differ.
    """
    state = weights.state if isinstance(weights, WeightsFile) else weights
    try:
        model.load_state_dict(state, assign=assign)
    except RuntimeError as error:
        complaints = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        complaint = complaints[0].rstrip(". ")
        if len(complaint) > 200:
            complaint = complaint[:200] + "..."
        raise UsageError(
            f"{path}: its tensors do not fit {type(model).__name__} ({complaint}); give weights of this network."
        ) from error


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """8 hex digits that name the tensors' content, the same before and after ``save_weights``."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = _for_disk(state[name].detach().cpu())
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:8]


class WeightsCard(BaseModel):
    """What a user should know of a weights file before trusting it; ``NAME.yaml`` beside ``NAME.safetensors``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Literal["detector", "forecaster"]
    description: str
    licence: str
    data: list[str] = Field(description="what it was trained on, with licences")
    command: str = Field(description="the command that trained it")
    seed: int
    parameters: int = Field(gt=0)
    figures: dict[str, float | str] = Field(description="what was measured, with the data it was measured on")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    limits: list[str] = Field(description="where it is known to fail")


@dataclass(frozen=True)
class BundledWeights:
    """A weights file of the project and its card."""

    path: Path
    card: WeightsCard

    def is_intact(self) -> bool:
        """Whether the file is there with exactly the content that the card speaks of."""
        return self.path.is_file() and sha256(self.path) == self.card.sha256


def bundled_folder() -> Path:
    """Where the project's own weights lie. Raises ``PerceptionError`` when they are missing."""
    return bundled("data/weights")


def bundled_weights(name: str) -> Path | None:
    """The file of the bundled weights of that name, such as "roadnet"; None when none are called so."""
    path = bundled_folder() / f"{name}{WEIGHTS_SUFFIX}"
    return path if Path(name).name == name and path.is_file() else None


def bundled_cards(folder: Path | None = None) -> list[BundledWeights]:
    """Each weights file of ``folder`` (the bundled one when None) with its card, by name; a card's file may be missing.

    Raises ``PerceptionError`` when a file has no card or a card is not valid.
    """
    folder = folder or bundled_folder()
    cards = {path.with_suffix(WEIGHTS_SUFFIX): path for path in sorted(folder.glob("*.yaml"))}
    for path in sorted(folder.glob(f"*{WEIGHTS_SUFFIX}")):
        if path not in cards:
            raise PerceptionError(f"{path}: has no card; write {path.with_suffix('.yaml').name} beside it.")
    return [BundledWeights(path, read_card(card_path)) for path, card_path in cards.items()]


def read_card(path: Path) -> WeightsCard:
    """Raises ``PerceptionError`` when the file is missing or a field is wrong."""
    try:
        return WeightsCard.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the card"
        raise PerceptionError(f"{path}: {field}: {first['msg']}; correct the card.") from error
    except UsageError as error:
        raise PerceptionError(f"{path}: is not a readable card; restore it or install the package again.") from error


def _format_of(kind: str) -> str:
    return f"perception.{kind}.v1"


def _check_format(path: Path, metadata: Mapping[str, str], kind: str) -> None:
    found = metadata.get("format", "")
    if found == _format_of(kind):
        return
    parts = found.split(".")
    if len(parts) != 3 or parts[0] != "perception":
        raise UsageError(f"{path}: are not weights of this program; give a file that `perception train` wrote.")
    if parts[1] != kind:
        raise UsageError(f"{path}: holds weights of a {parts[1]}; give weights of a {kind}.")
    raise UsageError(f"{path}: has format {found}, this version reads {_format_of(kind)}; install a newer version.")


def _read_metadata(path: Path, kind: str) -> dict[str, str]:
    _check_file(path)
    if _is_pickle(path):
        raise UsageError(f"{path}: is a PyTorch pickle, which could run code; give weights as {WEIGHTS_SUFFIX}.")
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = dict(stream.metadata() or {})
    except _DAMAGE as error:
        raise _damaged(path) from error
    _check_format(path, metadata, kind)
    return metadata


def _config_of(metadata: Mapping[str, str], path: Path) -> dict[str, Any]:
    try:
        config = parse_json(metadata["config"])
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"{path}: does not state how its network is built; save it again with this version."
        ) from error
    if not isinstance(config, dict):
        raise UsageError(f"{path}: does not state how its network is built; save it again with this version.")
    return config


def _check_file(path: Path) -> None:
    """Raise ``UsageError`` for what is no regular file, and for one that is, or states, more than is read."""
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name the weights file in it.")
    if not path.is_file():
        raise UsageError(f"{path}: there is no such weights file; check the path.")
    start = _start_of(path)
    is_pickle, header_bytes = _is_pickle(path), int.from_bytes(start[:8], "little")
    if path.suffix == WEIGHTS_SUFFIX and header_bytes > MAX_HEADER_BYTES and not is_pickle:
        raise _damaged(path)
    if start.startswith(_ZIP_START) and _unpacked_bytes(path) > MAX_WEIGHTS_BYTES:
        raise UsageError(f"{path}: unpacks to more than {MAX_WEIGHTS_BYTES >> 20} MiB; give smaller weights.")


def _unpacked_bytes(path: Path) -> int:
    try:
        with ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except (OSError, BadZipFile, ValueError):
        return 0  # whoever reads it says so


def _start_of(path: Path) -> bytes:
    try:
        with open_regular(path, max_bytes=MAX_WEIGHTS_BYTES) as stream:
            return stream.read(9)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check its permissions.") from error


def _is_pickle(path: Path) -> bool:
    start = _start_of(path)
    # A zip of torch.save, or a bare pickle; a safetensors file may begin with any length, but then comes its header.
    return start.startswith(_ZIP_START) or (start.startswith(b"\x80") and start[8:] != b"{")


def _damaged(path: Path) -> UsageError:
    return UsageError(f"{path}: is damaged or not a {WEIGHTS_SUFFIX} file; copy or make it again.")


def _for_disk(tensor: Tensor) -> Tensor:
    """A copy of its own memory, because safetensors takes no views and no shared memory."""
    if not tensor.is_floating_point():
        return tensor.contiguous().clone()
    half = tensor.to(torch.float16)
    fits = bool(half.isfinite().all())
    return (half if fits else tensor.float()).contiguous().clone()


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())
