"""Where the frames of a video lie in its file, by the headers of its packets: what seeking needs to be exact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import av
import numpy as np
from av.video.stream import VideoStream

from perception.arrays import IntArray

_ONE_FRAME_EACH = ("h264", "hevc", "vp9", "av1", "mjpeg")
"""Codecs whose packets give one picture each; in others a packet may give none, and numbers would be guesses."""


@dataclass(frozen=True)
class KeyPacket:
    """A packet that can be decoded without those before it: its time of presentation and how many lie before it."""

    pts: int
    packets_before: int


@dataclass(frozen=True)
class VideoIndex:
    """``points`` (M,) are the times of presentation in order, in ticks of the stream; None where the file has none.

    ``keys`` are the packets that decoding can begin with, in order; none where numbers of frames would be guesses.
    """

    frame_count: int
    points: IntArray | None
    keys: tuple[KeyPacket, ...] = ()

    @classmethod
    def of(cls, packets: Iterable[av.Packet[VideoStream] | None], *, codec: str) -> VideoIndex:
        """Of all ``packets`` of a stream, in the order of the file."""
        points: list[int] = []
        decoded_at: list[int] = []
        keys: list[KeyPacket] = []
        count = passed = 0
        for packet in packets:
            if packet is None or not packet.size:
                continue
            if not packet.is_discard:
                count += 1
                points += [] if packet.pts is None else [packet.pts]
            if packet.is_keyframe and packet.pts is not None:
                keys.append(KeyPacket(packet.pts, passed))
            decoded_at += [] if packet.dts is None else [packet.dts]
            passed += 1
        in_order = np.array(sorted(points), np.int64)
        if len(in_order) < count:
            return cls(count, None)
        # Where the clock was set back, the order of presentation is not that of the times.
        is_sound = bool((np.diff(decoded_at) > 0).all() and (np.diff(in_order) > 0).all())
        return cls(count, in_order, tuple(keys) if is_sound and codec in _ONE_FRAME_EACH else ())

    def keys_before(self, number: int) -> list[KeyPacket]:
        """The keys from which frame ``number`` can be reached, the nearest first."""
        if self.points is None or not 0 <= number < self.frame_count:
            return []
        return [key for key in reversed(self.keys) if key.pts <= self.points[number]]
