"""Takes a ``multipart/x-mixed-replace`` stream apart, also where a camera writes it wrongly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MAX_PART_BYTES = 64 << 20
MAX_HEADER_BYTES = 16 << 10


@dataclass(frozen=True)
class Part:
    """The content of one part and its headers, whose names are in small letters."""

    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class MultipartParser:
    """Feed it bytes as they come; it gives the parts that they complete.

    A part ends after its Content-Length or where the next delimiter begins, whichever comes first: so a length that is
    wrong, negative, huge or missing costs at most its own part. What lies between parts is passed over. Without a
    ``boundary``, the first line that begins with two dashes states it.

    ``has_ended`` is set by the end marker; ``is_inside`` tells whether a part has begun and is not complete.
    Raises ``ValueError`` for headers or a part without an end, and where no part begins in ``MAX_PART_BYTES``.
    """

    def __init__(self, boundary: str = "") -> None:
        # Some servers put the two leading dashes of the delimiter into the parameter as well.
        self._name = boundary.strip().lstrip("-").encode("latin-1", "replace")
        self._buffer = bytearray()
        self._searched = 0
        self._headers: dict[str, str] | None = None
        self._passed_bytes = 0
        self.has_ended = False

    @property
    def is_inside(self) -> bool:
        """Whether content of a part has come that is not complete."""
        return self._headers is not None and bool(self._buffer.strip())

    def feed(self, data: bytes) -> Iterator[Part]:
        """The parts that are complete with ``data``."""
        self._buffer += data
        while not self.has_ended:
            if self._headers is None:
                if not self._enter_part():
                    return
            elif (part := self._leave_part(self._headers)) is not None:
                yield part
            else:
                return

    def _enter_part(self) -> bool:
        """Pass over all up to the next part's content; False where more bytes are needed."""
        start = self._delimiter_at(0)
        if start is None:
            kept = self._tail_bytes
            self._pass_over(max(0, len(self._buffer) - kept))
            return False
        line_end = self._buffer.find(b"\n", start)
        line = bytes(self._buffer[start : line_end if line_end >= 0 else len(self._buffer)])
        if line.strip().endswith(self._name + b"--"):
            self.has_ended = True
            return False
        block_end = _headers_end(self._buffer, line_end)
        if line_end < 0 or block_end is None:
            if len(self._buffer) - start > MAX_HEADER_BYTES:
                raise ValueError("headers without an end")
            return False
        self._headers = _headers(bytes(self._buffer[line_end + 1 : block_end]))
        self._passed_bytes = 0
        self._drop(block_end)
        return True

    def _leave_part(self, headers: Mapping[str, str]) -> Part | None:
        """The part whose content begins the buffer, where it is complete."""
        length = _length(headers)
        delimiter = self._delimiter_at(self._searched)
        end = None if delimiter is None else _without_line_end(self._buffer, delimiter)
        if length is not None and len(self._buffer) >= length and (end is None or length <= end):
            end, delimiter = length, length
        if end is None or delimiter is None:
            self._searched = max(0, len(self._buffer) - self._tail_bytes)
            if len(self._buffer) > MAX_PART_BYTES:
                raise ValueError("a picture without an end")
            return None
        content = bytes(self._buffer[:end])
        self._headers = None
        self._drop(delimiter)
        return Part(content, headers)

    def _delimiter_at(self, start: int) -> int | None:
        """Where the dashes of the next delimiter begin, at the beginning of a line."""
        if not self._name:
            self._learn_name()
        if not self._name:
            return None
        position = self._buffer.find(b"--" + self._name, start)
        while position >= 0:
            dashes = position
            while dashes > 0 and self._buffer[dashes - 1] == 0x2D:
                dashes -= 1
            if dashes == 0 or self._buffer[dashes - 1] == 0x0A:
                return dashes
            position = self._buffer.find(b"--" + self._name, position + 1)
        return None

    def _learn_name(self) -> None:
        for line in bytes(self._buffer).split(b"\n")[:-1]:
            if line.startswith(b"--") and line.strip().strip(b"-"):
                self._name = line.strip().lstrip(b"-")
                return

    @property
    def _tail_bytes(self) -> int:
        """What may be the beginning of a delimiter."""
        return len(self._name) + 8 if self._name else MAX_HEADER_BYTES

    def _pass_over(self, count: int) -> None:
        self._passed_bytes += count
        if self._passed_bytes > MAX_PART_BYTES:
            raise ValueError("nothing but bytes between pictures")
        self._drop(count)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._searched = 0


def _headers_end(buffer: bytearray, line_end: int) -> int | None:
    """Where the content begins, behind the empty line; None where it has not come."""
    for blank in (b"\n\r\n", b"\n\n"):
        found = buffer.find(blank, line_end, line_end + MAX_HEADER_BYTES)
        if found >= 0:
            return found + len(blank)
    return None


def _headers(block: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.decode("latin-1").splitlines())
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


def _length(headers: Mapping[str, str]) -> int | None:
    """The Content-Length; None where there is none that can be true."""
    text = headers.get("content-length", "")
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        return None
    return int(text) if 0 < int(text) <= MAX_PART_BYTES else None


def _without_line_end(buffer: bytearray, delimiter: int) -> int:
    """The end of the content before the line break that belongs to the delimiter."""
    end = delimiter
    for sign in (0x0A, 0x0D):
        if end > 0 and buffer[end - 1] == sign:
            end -= 1
    return end
