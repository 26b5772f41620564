"""Times of capture from arrival, from a stream's own clock, and from RTCP."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perception.sources.live.capture_time import CaptureClock, CaptureTimes
from perception.sources.live.readers.picture import CapturedPicture

MS = 1_000_000
NOW_NS = 1_700_000_000_000 * MS


def picture(presented_s: float | None = None, realtime_s: float | None = None) -> CapturedPicture:
    return CapturedPicture(to_rgb=lambda: None, presented_s=presented_s, realtime_s=realtime_s)


def test_the_capture_clock_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = CaptureClock()
    first = clock.now_ns()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    monkeypatch.setattr(time, "monotonic_ns", lambda: 0)
    assert [clock.now_ns() - first for _ in range(3)] == [1, 2, 3]


def test_without_any_clock_the_arrival_counts() -> None:
    times = CaptureTimes(max_lag_s=1.0)
    assert times.of(picture(), NOW_NS) == NOW_NS
    assert times.origin == "arrival"
    assert times.of(picture(), NOW_NS) == NOW_NS + 1


def test_the_streams_clock_takes_the_networks_jitter_out() -> None:
    times = CaptureTimes(max_lag_s=1.0)
    lags_ms = [0, 40, 10, 80, 0, 25]
    found = [times.of(picture(5 + n * 0.1), NOW_NS + (n * 100 + lag) * MS) for n, lag in enumerate(lags_ms)]
    assert [round((at - NOW_NS) / MS) for at in found] == [0, 100, 200, 300, 400, 500]
    assert times.origin == "stream"


def test_a_streams_clock_that_jumps_is_placed_anew() -> None:
    times = CaptureTimes(max_lag_s=1.0)
    times.of(picture(5.0), NOW_NS)
    assert times.of(picture(900.0), NOW_NS + 100 * MS) == NOW_NS + 100 * MS
    assert times.of(picture(2.0), NOW_NS + 200 * MS) == NOW_NS + 200 * MS


def test_slow_drift_of_a_clock_is_followed() -> None:
    times = CaptureTimes(max_lag_s=1.0)
    # The camera's clock is a thousandth too slow: after 100 s the first offset would be wrong by 100 ms.
    for second in range(101):
        found = times.of(picture(second * 0.999), NOW_NS + second * 1000 * MS)
    assert abs(found - (NOW_NS + 100_000 * MS)) <= 25 * MS


def test_rtcp_holds_where_its_clock_is_set_as_ours() -> None:
    times = CaptureTimes(max_lag_s=1.0)
    assert times.of(picture(1.0, NOW_NS / 1e9 - 0.25), NOW_NS) == pytest.approx(NOW_NS - 250 * MS, abs=MS)
    assert times.origin == "rtcp"
    for wrong_s in (-3600.0, 5.0):
        other = CaptureTimes(max_lag_s=1.0)
        assert other.of(picture(1.0, NOW_NS / 1e9 + wrong_s), NOW_NS) == NOW_NS
        assert other.origin == "stream"


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 3000)), max_size=30))
def test_times_always_rise_and_no_picture_is_taken_after_it_came(steps: list[tuple[float, int]]) -> None:
    times = CaptureTimes(max_lag_s=1.0)
    arrived_ns, last_ns = NOW_NS, 0
    for presented_s, step_ms in steps:
        arrived_ns += max(step_ms, 1) * MS
        found = times.of(picture(presented_s), arrived_ns)
        assert last_ns < found <= arrived_ns
        last_ns = found
