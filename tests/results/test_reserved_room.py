"""Room that is kept for the report."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from perception.results.reserved_room import RESERVED_BYTES, ReservedRoom

OPEN_FILES = Path("/proc/self/fd")


@pytest.mark.skipif(not OPEN_FILES.exists(), reason="needs /proc")
def test_the_room_is_taken_without_a_name_and_given_back(tmp_path: Path) -> None:
    def sizes() -> list[int]:
        found = []
        for path in OPEN_FILES.iterdir():
            with suppress(FileNotFoundError):  # the folder that is being listed
                found.append(path.stat().st_size)
        return found

    before = sizes().count(RESERVED_BYTES)
    room = ReservedRoom(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert sizes().count(RESERVED_BYTES) == before + 1
    room.release()
    room.release()
    assert sizes().count(RESERVED_BYTES) == before


def test_where_there_is_no_room_it_keeps_none(tmp_path: Path) -> None:
    ReservedRoom(tmp_path / "missing").release()
