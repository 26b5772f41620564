"""Files that grow and are whole after each step."""

import errno
import io
import json

import pytest

from perception.errors import PerceptionError
from perception.results.append_file import AppendFile


class SmallDisk(io.FileIO):
    """A file on a disk with room for ``room`` bytes, which fills in the middle of a write as a real one does."""

    room = 40

    def write(self, content):
        free = self.room - self.tell()
        if free <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(bytes(content)[:free])


@pytest.fixture
def small_disk(monkeypatch):
    monkeypatch.setattr(AppendFile, "_create", staticmethod(lambda path: SmallDisk(path, "xb")))


def test_the_footer_always_stands_at_the_end(tmp_path):
    file = AppendFile(tmp_path / "a.json", header=b"[", footer=b"\n]\n")
    assert json.loads((tmp_path / "a.json").read_text()) == []
    for number in range(3):
        file.append(b",\n1" if number else b"\n1")
        assert json.loads((tmp_path / "a.json").read_text()) == [1] * (number + 1)
    file.close()
    file.close()


def test_a_piece_that_does_not_fit_is_taken_back(tmp_path, small_disk):
    file = AppendFile(tmp_path / "a.json", header=b"[", footer=b"\n]\n")
    file.append(b'\n"0123456789"')
    with pytest.raises(PerceptionError, match=r"a\.json: cannot be written \(No space left on device\)\.$"):
        file.append(b',\n"01234567890123456789"')
    assert json.loads((tmp_path / "a.json").read_text()) == ["0123456789"]


def test_half_lines_are_taken_back(tmp_path, small_disk):
    file = AppendFile(tmp_path / "a.txt")
    file.append(b"first line of twenty\n")
    with pytest.raises(PerceptionError):
        file.append(b"second line of twenty\n")
    assert (tmp_path / "a.txt").read_text() == "first line of twenty\n"


def test_a_file_that_exists_is_kept(tmp_path):
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(PerceptionError, match="not overwritten"):
        AppendFile(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "mine"


@pytest.mark.parametrize("replace", [False, True])
def test_a_file_that_is_removed_is_noticed_at_the_next_piece(tmp_path, replace):
    file = AppendFile(tmp_path / "a.txt")
    file.append(b"first\n")
    (tmp_path / "a.txt").unlink()
    if replace:
        (tmp_path / "a.txt").write_text("another")
    with pytest.raises(PerceptionError, match=r"a\.txt: was removed or replaced"):
        file.append(b"second\n")
    with pytest.raises(PerceptionError, match="was removed"):
        file.close()
    file.close()


def test_a_folder_that_cannot_be_made_names_the_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PerceptionError, match=r"file/a\.txt: cannot be written"):
        AppendFile(tmp_path / "file" / "a.txt")
