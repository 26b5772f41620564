"""Parts of recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.media import number_of, numbered_image, write_image, write_video

from perception.errors import UsageError
from perception.sources import open_source
from perception.sources.time_span import TimeSpan

TENTHS_NS = np.arange(20) * 100_000_000 + 5_000_000_000


def numbers(span: TimeSpan, *, stride: int = 1) -> list[int]:
    times = TENTHS_NS.tolist()
    return [number for number, _ in span.numbered(times, stride=stride, time_ns=lambda time_ns: time_ns)]


def test_a_span_begins_with_its_start_and_ends_before_its_end() -> None:
    assert numbers(TimeSpan(0.5, 0.8)) == [5, 6, 7]
    assert numbers(TimeSpan(end_s=0.3)) == [0, 1, 2]
    assert numbers(TimeSpan(1.75)) == [18, 19]
    assert numbers(TimeSpan()) == list(range(20))


def test_the_stride_counts_from_the_start() -> None:
    assert numbers(TimeSpan(0.5, 1.1), stride=3) == [5, 8]
    assert numbers(TimeSpan(), stride=8) == [0, 8, 16]


@pytest.mark.parametrize("span", [TimeSpan(0.5, 0.8), TimeSpan(), TimeSpan(9), TimeSpan(end_s=1.05)])
def test_the_count_is_that_of_the_instants(span: TimeSpan) -> None:
    assert span.count(TENTHS_NS) == len(numbers(span))


def test_a_source_hands_out_the_span_and_keeps_its_numbers(tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mp4", [numbered_image(number) for number in range(20)], fps=10)
    source = open_source([str(video)], span=TimeSpan(0.4, 1.0), stride=2)
    instants = list(source)
    assert [instant.index for instant in instants] == [4, 6, 8]
    assert [number_of(instant.frames[0].image) for instant in instants] == [4, 6, 8]
    assert source.length == 3


def test_cameras_of_different_rates_are_cut_together(tmp_path: Path) -> None:
    fast = write_video(tmp_path / "fast.mp4", [numbered_image(number) for number in range(20)], fps=20)
    slow = write_video(tmp_path / "slow.mp4", [numbered_image(number) for number in range(10)], fps=10)
    source = open_source([str(fast), str(slow)], span=TimeSpan(0.2, 0.4))
    instants = list(source)
    assert [[frame.index for frame in instant.frames] for instant in instants] == [[4, 2], [5], [6, 3], [7]]
    assert source.length == 4


def test_a_start_behind_the_end_is_refused(tmp_path: Path) -> None:
    image = write_image(tmp_path / "1.png", numbered_image(1))
    with pytest.raises(UsageError, match="start_s 5: 1: ends before that"):
        open_source([str(image)], span=TimeSpan(5))
