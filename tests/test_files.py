"""YAML and JSON are read in one way: no key twice, no endless aliases; files are written whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from perception.errors import PerceptionError, UsageError
from perception.files import (
    ClosedAtExit,
    atomic_write,
    parse_json,
    read_json,
    read_yaml,
    write_json,
)
from perception.safety.input_limits import MAX_ALIASED_VALUES

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("conf: 0.1\niou: 1\nconf: 0.9\n", r"file, line 3: .*\(conf occurs twice\)"),
        ("a: {left: 1, left: 2}\n", r"line 1: .*\(left occurs twice\)"),
        ("a: {1: x, '1': y}\n", r"\(1 occurs twice\)"),
        ("- {b: [{c: 1, c: 2}]}\n", r"\(c occurs twice\)"),
        (BOMB, f"its aliases make more than {MAX_ALIASED_VALUES} values"),
        ("a: &a [1, *a]\n", r"line 1: .*an alias stands within what it names"),
        ("[" * 5000, "nested too deeply"),
        ("a: [1", "cannot be read as YAML"),
        ("a: !!python/object:os.system {}", "could not determine a constructor"),
        ("a: 2024-99-99", r"cannot be read as YAML \(month must be"),
        (b"\xff\xfe\x00\xd8", "no UTF-8 text"),
    ],
)
def test_bad_yaml_is_refused_with_the_reason(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_yaml(written(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1, "b": 2, "a": 3}', r"file: .*\(a occurs twice\)"),
        ('[{"a": {"c": 1, "c": 1}}]', r"\(c occurs twice\)"),
        ("[" * 100_000, "nested too deeply"),
        ("{", "cannot be read as JSON"),
        (b"\xff", "no UTF-8 text"),
    ],
)
def test_bad_json_is_refused_with_the_reason(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_json(written(tmp_path, content))


@pytest.mark.parametrize("read", [read_yaml, read_json])
def test_a_missing_file_and_a_folder_are_reported(read: object, tmp_path: Path) -> None:
    assert callable(read)
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UsageError, match=rf"{path}: cannot be read \("):
            read(path)


def test_aliases_and_merges_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, "base: &base {conf: 0.1, iou: 0.5}\nother: {<<: *base, conf: 0.9}\nsame: *base\n")
    base = {"conf": 0.1, "iou": 0.5}
    assert read_yaml(path) == {"base": base, "other": {"conf": 0.9, "iou": 0.5}, "same": base}


def test_a_base_that_merges_another_is_no_key_twice(tmp_path: Path) -> None:
    path = written(tmp_path, "b: &b {<<: &a {k: 1}, k: 2}\n<<: *b\n")
    assert read_yaml(path) == {"b": {"k": 2}, "k": 2}


def test_many_values_without_aliases_are_read(tmp_path: Path) -> None:
    assert len(read_yaml(written(tmp_path, f"[{', '.join('1' * 3000)}]"))) == 3000


def test_an_empty_yaml_file_is_none(tmp_path: Path) -> None:
    assert read_yaml(written(tmp_path, "")) is None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": [1, 2.5, None], "b": {}})
    assert read_json(tmp_path / "a.json") == {"a": [1, 2.5, None], "b": {}}
    assert parse_json("[1]") == [1]


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(RuntimeError), atomic_write(tmp_path / "a.json") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(tmp_path / "a.json") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    with pytest.raises(PerceptionError, match="cannot be written"), atomic_write(tmp_path / "a.json" / "b"):
        pass


class FullDisk(ClosedAtExit):
    closed = 0

    def close(self) -> None:
        self.closed += 1
        raise PerceptionError("the end does not fit")


def test_a_writer_that_cannot_be_finished_raises() -> None:
    with pytest.raises(PerceptionError, match="the end does not fit"), FullDisk():
        pass


def test_the_first_error_is_raised_and_the_writer_closed_all_the_same() -> None:
    writer = FullDisk()
    with pytest.raises(KeyboardInterrupt), writer as entered:
        assert entered is writer
        raise KeyboardInterrupt
    assert writer.closed == 1
