"""What all readers hand on, and what a reader must be able to do."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal, Protocol

from perception.sources.images import RgbImage

Fault = Literal["damaged", "stale"]


@dataclass(frozen=True, kw_only=True)
class CapturedPicture:
    """A picture as it came, before its conversion to RGB.

    ``to_rgb`` gives None for a damaged one. ``fingerprint`` is the same for pictures that are the same, None where that
    is not known. ``presented_s`` is its time by the camera's own clock, whose zero is unknown; ``realtime_s`` its time
    since 1970 by the camera's wall clock; each None where the stream does not state it. ``fault`` is why it cannot be
    used, where that is known already. ``encoded`` is the image file that the camera sent, where it sends such.
    ``key`` is the connection, as the reader's tap numbers it, and which of its pictures this is; None where nothing
    comes in packets.
    """

    to_rgb: Callable[[], RgbImage | None]
    size_bytes: int = 0
    fingerprint: int | None = None
    presented_s: float | None = None
    realtime_s: float | None = None
    fault: Fault | None = None
    encoded: bytes | None = None
    key: tuple[int, int] | None = None


def faulty(fault: Fault) -> CapturedPicture:
    """A picture that came and cannot be used."""
    return CapturedPicture(to_rgb=lambda: None, fault=fault)


class PacketTap(Protocol):
    """Is told what a camera sends, in the thread that reads it."""

    def begin(self, codec: str, extradata: bytes) -> int:
        """The camera is connected, and sends packets of FFmpeg's ``codec``; returns the connection's number."""
        ...

    def packet(self, data: bytes, picture: int, *, is_key: bool) -> None:
        """A packet came; ``picture`` is its number or presentation time; one that ``is_key`` needs no other."""
        ...


class NoTap:
    """Nobody wants to know."""

    def begin(self, codec: str, extradata: bytes) -> int:
        """The only connection."""
        return 0

    def packet(self, data: bytes, picture: int, *, is_key: bool) -> None:
        """Is not kept."""


NO_TAP = NoTap()


class Reader(Protocol):
    """One connection to a live camera; belongs to the thread that iterates over ``pictures`` and then closes it.

    ``rate_fps`` is the nominal rate, None where it is not known. ``tap`` is told of each packet before its pictures are
    handed out; it may be set until ``pictures`` begins.
    """

    rate_fps: float | None
    tap: PacketTap

    def pictures(self) -> Generator[CapturedPicture, None, None]:
        """Each picture as it comes.

        Ends where the stream ends; raises ``PerceptionError`` when it breaks off.
        """
        ...

    def abort(self) -> None:
        """From any thread: end a read that waits, where that is possible."""
        ...

    def close(self) -> None:
        """Let go of the camera; safe to call twice."""
        ...
