"""Multipart streams as they should be, and as cameras write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perception.sources.live.readers import multipart
from perception.sources.live.readers.multipart import MultipartParser

PICTURES = [b"\xff\xd8first\r\n--not a delimiter\xff\xd9", b"\xff\xd8second\n\xff\xd9", b"\xff\xd8third\xff\xd9"]


def part(content: bytes, *headers: str, boundary: str = "--frame") -> bytes:
    return "\r\n".join([boundary, *headers, "", ""]).encode() + content + b"\r\n"


def contents(parser: MultipartParser, data: bytes, *, step: int = 7) -> list[bytes]:
    found = []
    for start in range(0, len(data), step):
        found += [part.content for part in parser.feed(data[start : start + step])]
    return found


@given(step=st.integers(1, 200), with_length=st.booleans())
def test_parts_come_whole_however_the_bytes_are_cut(step: int, with_length: bool) -> None:
    stream = b"".join(
        part(picture, *([f"Content-Length: {len(picture)}"] if with_length else [])) for picture in PICTURES
    )
    parser = MultipartParser("frame")
    assert contents(parser, stream + b"--frame--\r\n", step=step) == PICTURES
    assert parser.has_ended and not parser.is_inside


def test_with_a_length_a_part_is_there_before_the_next_begins() -> None:
    parser = MultipartParser("frame")
    data = part(PICTURES[0], f"Content-Length: {len(PICTURES[0])}").removesuffix(b"\r\n")
    assert [found.content for found in parser.feed(data)] == PICTURES[:1]


@pytest.mark.parametrize("length", ["-5", "0", "wrong", "99999999999999999999", "1000000", "", "5_0"])
def test_a_length_that_cannot_be_costs_nothing(length: str) -> None:
    stream = b"".join(part(picture, f"Content-Length: {length}") for picture in PICTURES) + b"--frame--\r\n"
    assert contents(MultipartParser("frame"), stream) == PICTURES


def test_a_length_that_is_too_small_costs_its_own_part() -> None:
    stream = part(PICTURES[0], "Content-Length: 3") + part(PICTURES[1], f"Content-Length: {len(PICTURES[1])}")
    assert contents(MultipartParser("frame"), stream) == [PICTURES[0][:3], PICTURES[1]]


def test_garbage_between_parts_is_passed_over() -> None:
    garbage = b"\x00\xff garbage without any line\r\nand -- dashes --fram\r\n"
    stream = b"".join(garbage + part(picture, f"Content-Length: {len(picture)}") for picture in PICTURES)
    assert contents(MultipartParser("frame"), stream) == PICTURES


@pytest.mark.parametrize(("boundary", "line"), [("--frame", "--frame"), ("", "--anything"), ("frame", "----frame")])
def test_boundaries_as_cameras_write_them(boundary: str, line: str) -> None:
    stream = b"".join(part(picture, f"Content-Length: {len(picture)}", boundary=line) for picture in PICTURES)
    assert contents(MultipartParser(boundary), stream) == PICTURES


def test_headers_have_small_names() -> None:
    parser = MultipartParser("frame")
    (found,) = parser.feed(part(b"abc", "CONTENT-length: 3", "X-Timestamp:  12.5 "))
    assert found.headers == {"content-length": "3", "x-timestamp": "12.5"}


def test_headers_without_an_end_are_refused() -> None:
    parser = MultipartParser("frame")
    with pytest.raises(ValueError, match="headers without an end"):
        contents(parser, b"--frame\r\n" + b"X-Bomb: 1\r\n" * 5000, step=1000)


def test_a_part_and_garbage_without_an_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "MAX_PART_BYTES", 10_000)
    with pytest.raises(ValueError, match="a picture without an end"):
        contents(MultipartParser("frame"), b"--frame\r\n\r\n" + b"x" * 30_000, step=1000)
    with pytest.raises(ValueError, match="nothing but bytes between pictures"):
        contents(MultipartParser("frame"), b"x" * 30_000, step=1000)


def test_a_part_that_is_cut_off_is_seen() -> None:
    parser = MultipartParser("frame")
    assert contents(parser, part(PICTURES[0], "Content-Length: 500").removesuffix(b"\r\n")) == []
    assert parser.is_inside


@given(st.binary(max_size=500), st.integers(1, 50))
def test_any_bytes_are_taken_apart_or_refused(data: bytes, step: int) -> None:
    contents(MultipartParser("f"), b"--f\r\n\r\n" + data, step=step)
