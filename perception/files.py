"""Files: written whole or not at all; YAML and JSON are read here alone, with no key twice."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import yaml

from perception.errors import PerceptionError, UsageError

Closed = TypeVar("Closed", bound="ClosedAtExit")

MAX_ALIASED_VALUES = 100_000
"""What the aliases of a YAML file may add to the values that are written in it: ten short lines can make billions."""

_LOG = logging.getLogger(__name__)


def cannot_write(path: Path, error: Exception) -> PerceptionError:
    """What to raise for an ``error`` while ``path`` is written."""
    return PerceptionError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error}).")


def exists_already(path: Path) -> PerceptionError:
    """What to raise where ``path`` would have to be overwritten."""
    return PerceptionError(f"{path}: exists already and is not overwritten; choose another `output`.")


class ClosedAtExit(ABC):
    """A writer that is closed where its ``with`` block ends.

    An error that ends the block is raised, and not the ``PerceptionError`` of closing after it.
    """

    @abstractmethod
    def close(self) -> None:
        """Finish the file; safe to call twice. Raises ``PerceptionError`` when it cannot be written."""

    def __enter__(self: Closed) -> Closed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except PerceptionError:
            # The first error explains more than that the file could not be finished either.
            if error is None:
                raise


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; move it there when the block ends well, else remove it.

    Raises ``PerceptionError`` when the folder cannot be written or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise cannot_write(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
        _LOG.debug("wrote %s", path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all; raises ``PerceptionError`` as ``atomic_write`` does."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON; NaN and infinity, which JSON does not know, are a ``ValueError``."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_yaml(path: Path) -> Any:
    """The content of a YAML file of plain values; None for an empty file.

    Raises ``UsageError`` naming the file, and the line where it is known, when it cannot be read, is no YAML, has a key
    twice in one mapping, holds itself, or grows beyond ``MAX_ALIASED_VALUES`` by its aliases.
    """
    text = read_text(path, "YAML")
    try:
        return _plain_yaml(text)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(f"{path}{line}: cannot be read as YAML ({error.problem}); correct the file.") from error
    except (ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read as YAML ({_one_line(error)}); correct the file.") from error


def read_json(path: Path) -> Any:
    """The content of a JSON file; raises ``UsageError`` when it cannot be read, or has a key twice in one object."""
    text = read_text(path, "JSON")
    try:
        return parse_json(text)
    except ValueError as error:
        raise UsageError(f"{path}: cannot be read as JSON ({_one_line(error)}); correct the file.") from error


def json_decoder() -> json.JSONDecoder:
    """For text that comes in pieces; raises ``ValueError`` for a key given twice."""
    return json.JSONDecoder(object_pairs_hook=_unique_keys)


def parse_json(text: str) -> Any:
    """The value that a JSON ``text`` holds; raises ``ValueError`` for anything else and for a key given twice."""
    try:
        return json_decoder().decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_text(path: Path, format_name: str) -> str:
    """The content of a UTF-8 file; raises ``UsageError`` naming it, and its format, when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error}); check the name.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: cannot be read as {format_name} (it is no UTF-8 text); correct the file.") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Python takes the last of two equal keys without a word.
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"{twice} occurs twice")
    return mapping


def _plain_yaml(text: str) -> Any:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        sizes: dict[int, int] = {}
        expanded = _checked_size(node, sizes, set())
        if expanded - len(sizes) > MAX_ALIASED_VALUES:
            raise ValueError(f"its aliases make more than {MAX_ALIASED_VALUES} values of it")
        return loader.construct_document(node)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    finally:
        loader.dispose()


def _checked_size(node: yaml.Node, sizes: dict[int, int], above: set[int]) -> int:
    """The number of values in ``node`` when all its aliases are written out.

    ``sizes`` keeps those of the nodes already seen, so that each is visited once; ``above`` are the nodes around it.
    Raises ``yaml.YAMLError`` for a key given twice, and for a node within itself.
    """
    if id(node) in sizes:
        return sizes[id(node)]
    if id(node) in above:
        raise yaml.constructor.ConstructorError(None, None, "an alias stands within what it names", node.start_mark)
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        inner = node.value
    elif isinstance(node, yaml.MappingNode):
        _check_keys(node)
        inner = [part for pair in node.value for part in pair]
    size = 1 + sum(_checked_size(part, sizes, above | {id(node)}) for part in inner)
    sizes[id(node)] = size
    return size


def _check_keys(node: yaml.MappingNode) -> None:
    # PyYAML takes the last of two equal keys without a word.
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} occurs twice", key.start_mark)
            seen.add(key.value)


def sha256(path: Path) -> str:
    """Hex digest of the file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def bundled(name: str) -> Path:
    """A folder that comes with the project, such as ``data/weights``: in a checkout or in an installed package.

    Raises ``PerceptionError`` when it is missing.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise PerceptionError(f"{package / name}: is missing from this installation; install the package again.")
