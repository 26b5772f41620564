"""Files: written whole or not at all; YAML and JSON are read here alone, with no key twice."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
import tempfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from zipfile import BadZipFile, ZipFile

import yaml

from perception.errors import PerceptionError, UsageError
from perception.safety.input_limits import (
    MAX_ALIASED_VALUES,
    MAX_CONFIG_BYTES,
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_NUMBER,
    MAX_TABLE_BYTES,
    MAX_WEIGHTS_BYTES,
)
from perception.safety.regular_files import open_regular, read_regular_text

if TYPE_CHECKING:
    from yaml import SafeLoader as _SafeLoader
else:
    # Where PyYAML comes without the parser in C, the other one reads the same, ten times slower.
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Closed = TypeVar("Closed", bound="ClosedAtExit")

_LOG = logging.getLogger(__name__)
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_OPENING, _CLOSING = b"[{", b"]}"


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


class FileWatch:
    """Notices that the open file of ``path`` was removed or replaced: what is written into it then is lost silently."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stat = path.stat()

    def check(self) -> None:
        """Raise ``PerceptionError`` where ``path`` is no longer this file."""
        try:
            is_there = os.path.samestat(self._path.stat(), self._stat)
        except OSError:
            is_there = False
        if not is_there:
            raise was_removed(self._path)


def was_removed(path: Path) -> PerceptionError:
    """What to raise where ``path`` is gone while a run writes there."""
    return PerceptionError(f"{path}: was removed or replaced while it was written; run it again and leave it alone.")


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
    twice in one mapping, holds itself, or goes beyond the limits of ``safety.input_limits``.
    """
    text = read_text(path, "YAML", max_bytes=MAX_CONFIG_BYTES)
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


def read_arrays(path: Path, what: str) -> dict[str, Any]:
    """The arrays of a ``.npz`` file by name. Nothing is unpickled.

    Raises ``UsageError`` when it is missing, damaged or unpacks to more than ``MAX_TABLE_BYTES``; it is told to be no
    file of ``what``.
    """
    import numpy as np

    try:
        with open_regular(path) as stream, ZipFile(stream) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_TABLE_BYTES:
                raise ValueError("it unpacks to more than can be read")
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as content:
                return {name: content[name] for name in content.files}
    except (OSError, EOFError, BadZipFile, ValueError, zlib.error, MemoryError, KeyError, NotImplementedError) as error:
        raise UsageError(f"{path}: cannot be read as {what} ({_one_line(error)}).") from error


def json_decoder() -> json.JSONDecoder:
    """For text that comes in pieces; raises ``ValueError`` for a key given twice and for numbers that cannot be."""
    return json.JSONDecoder(
        object_pairs_hook=_unique_keys, parse_float=_finite, parse_int=_whole, parse_constant=_no_number
    )


def parse_json(text: str) -> Any:
    """The value that a JSON ``text`` holds.

    Raises ``ValueError`` for anything else, for a key given twice, NaN and infinity, whole numbers of more than
    ``MAX_DIGITS`` digits, for what is nested beyond ``MAX_DEPTH`` and for halves of characters.
    """
    if _nesting(text) > MAX_DEPTH:
        raise ValueError("it is nested too deeply")
    try:
        value = json_decoder().decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if _HALF_CHARACTER.search(text):
        json.dumps(value, ensure_ascii=False).encode()  # raises a ValueError where one half stands alone
    return value


def read_text(path: Path, format_name: str, *, max_bytes: int = MAX_TABLE_BYTES) -> str:
    """The content of a UTF-8 file; raises ``UsageError`` naming it, and its format, when it cannot be read."""
    try:
        return read_regular_text(path, max_bytes=max_bytes)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error}); check the name.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: cannot be read as {format_name} (it is no UTF-8 text); correct the file.") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _nesting(text: str) -> int:
    """How deep the lists and objects of a JSON ``text`` stand within one another, at most."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return MAX_DEPTH
    import numpy as np  # the help of a command needs none

    marks = np.frombuffer(_JSON_STRING.sub("", text).encode("utf-8", "replace"), np.uint8)
    opening, closing = (np.isin(marks, np.frombuffer(some, np.uint8)) for some in (_OPENING, _CLOSING))
    steps = opening.astype(np.int8) - closing
    return int(np.cumsum(steps, dtype=np.int64).max(initial=0))


def _finite(text: str) -> float:
    number = float(text)
    if not abs(number) <= MAX_NUMBER:
        raise ValueError(f"{text[:20]} is beyond all that is measured")
    return number


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"{text[:20]}... has {len(text)} digits")
    return int(text)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Python takes the last of two equal keys without a word.
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"{twice} occurs twice")
    return mapping


class _PlainLoader(_SafeLoader):
    """Knows no numbers that cannot be."""

    def construct_number(self, node: yaml.ScalarNode) -> float:
        number = float(self.construct_yaml_float(node))
        # ``.nan`` and ``.inf`` are YAML: whoever reads the key refuses them, and names it.
        if math.isfinite(number) and abs(number) > MAX_NUMBER:
            raise _at(node, "is beyond all that is measured")
        return number

    def construct_whole_number(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > MAX_DIGITS:
            raise _at(node, f"... has {len(node.value)} digits")
        return int(self.construct_yaml_int(node))


def _check_nesting(text: str) -> None:
    # Before the values are composed, which calls itself for each level.
    depth = 0
    for event in yaml.parse(text, Loader=_SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ValueError("it is nested too deeply")


def _at(node: yaml.ScalarNode, fault: str) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, f"{node.value[:20]} {fault}", node.start_mark)


_PlainLoader.add_constructor("tag:yaml.org,2002:float", _PlainLoader.construct_number)
_PlainLoader.add_constructor("tag:yaml.org,2002:int", _PlainLoader.construct_whole_number)


def _plain_yaml(text: str) -> Any:
    _check_nesting(text)
    loader = _PlainLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        sizes: dict[int, int] = {}
        expanded = _checked_size(node, sizes, ())
        if expanded - len(sizes) > MAX_ALIASED_VALUES:
            raise ValueError(f"its aliases make more than {MAX_ALIASED_VALUES} values of it")
        return _constructed(loader, node)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    finally:
        loader.dispose()


def _constructed(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    try:
        return loader.construct_document(node)
    except (RecursionError, ValueError, yaml.YAMLError):
        raise
    except Exception as error:  # PyYAML raises many types for a value that is not what its tag says
        raise ValueError(f"a value is not what it is marked as: {error}") from error


def _checked_size(node: yaml.Node, sizes: dict[int, int], above: tuple[int, ...]) -> int:
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
    elif isinstance(node, yaml.ScalarNode):
        node.value.encode()  # raises a ValueError for half a character
    elif isinstance(node, yaml.MappingNode):
        _check_keys(node)
        inner = [part for pair in node.value for part in pair]
    size = 1 + sum(_checked_size(part, sizes, (*above, id(node))) for part in inner)
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
    with open_regular(path, max_bytes=MAX_WEIGHTS_BYTES) as stream:
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
