"""Hand-made cases and properties of the grouping of frames into instants."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perception.sources.live.instants import QUEUE_FRAMES, Arrival, Instant, InstantAssembler
from perception.sources.live.settings import LiveSettings

MS = 1_000_000
SETTINGS = LiveSettings(tolerance_s=0.1, max_wait_s=0.3, max_age_s=1.0)


class Desk:
    """An assembler, and what it left; times in milliseconds, frames arrive ``lag_ms`` after they were taken."""

    def __init__(self, settings: LiveSettings = SETTINGS, *, newest_only: bool = True) -> None:
        self.left: list[tuple[str, str, str]] = []
        self.assembler: InstantAssembler[str] = InstantAssembler(
            settings, newest_only=newest_only, leave=lambda camera, cause, item: self.left.append((camera, cause, item))
        )

    def add(self, camera: str, *times_ms: int, lag_ms: int = 0) -> None:
        for time_ms in times_ms:
            arrival = Arrival(time_ms * MS, (time_ms + lag_ms) / 1e3, f"{camera}{time_ms}")
            self.assembler.add(camera, arrival)

    def next(self, now_ms: int, **periods_ms: float) -> list[str] | float | None:
        found = self.assembler.next(
            now_s=now_ms / 1e3,
            now_ns=now_ms * MS,
            periods_s={camera: period_ms / 1e3 for camera, period_ms in periods_ms.items()},
        )
        return [frame.item for frame in found.frames.values()] if isinstance(found, Instant) else found


def test_frames_within_the_tolerance_are_one_instant_and_others_are_not() -> None:
    desk = Desk()
    desk.add("a", 100)
    desk.add("b", 200)
    desk.add("c", 301)
    assert desk.next(310) == ["a100", "b200"]
    assert desk.next(310) == ["c301"]
    assert desk.next(310) is None
    assert desk.left == []


def test_the_newest_instant_with_most_cameras_wins_and_older_frames_are_overrun() -> None:
    desk = Desk()
    desk.add("a", 0, 100, 200, 300)
    desk.add("b", 10, 110, 210)
    assert desk.next(320) == ["a300", "b210"]
    assert Counter(cause for _, cause, _ in desk.left) == {"overrun": 5}


def test_without_newest_only_nothing_is_left_out() -> None:
    desk = Desk(newest_only=False)
    desk.add("a", 0, 100, 200)
    desk.add("b", 10, 110)
    assert [desk.next(210), desk.next(210), desk.next(210)] == [["a0", "b10"], ["a100", "b110"], ["a200"]]
    assert desk.left == []


def test_a_camera_whose_frame_is_due_is_waited_for_no_longer_than_the_bound() -> None:
    desk = Desk()
    desk.add("a", 0)
    desk.add("b", 20)
    assert desk.next(25, a=100, b=100) == ["a0", "b20"]
    desk.add("a", 100)
    # Due at 120, and half a period more before it counts as late.
    assert desk.next(100, a=100, b=100) == pytest.approx(0.07)
    assert desk.next(171, a=100, b=100) == ["a100"]
    desk.add("b", 120, lag_ms=80)
    assert desk.next(251, a=100, b=100) == ["b120"]


def test_a_camera_that_is_behind_is_awaited_by_its_own_delay_up_to_the_bound() -> None:
    desk = Desk()
    desk.add("fast", 0)
    desk.add("slow", -100 + 100, lag_ms=200)
    assert desk.next(200, fast=100, slow=100) == ["fast0", "slow0"]
    desk.add("fast", 100)
    assert desk.next(101, fast=100, slow=100) == pytest.approx(0.249)
    desk.add("slow", 100, lag_ms=200)
    assert desk.next(300, fast=100, slow=100) == ["fast100", "slow100"]
    # One behind by more than the bound does not hold the others up.
    desk.add("slow", 200, lag_ms=900)
    desk.add("fast", 1200)
    waited = desk.next(1200, fast=100, slow=100)
    assert isinstance(waited, float) and waited <= 0.3 + 1e-9


def test_a_slow_camera_does_not_slow_a_fast_one() -> None:
    desk = Desk()
    desk.add("fast", 0)
    desk.add("slow", 0)
    assert desk.next(1, fast=33, slow=100) == ["fast0", "slow0"]
    desk.add("fast", 33)
    assert desk.next(34, fast=33, slow=100) == ["fast33"]


def test_frames_that_come_after_their_instant_are_late_and_old_ones_stale() -> None:
    desk = Desk()
    desk.add("a", 500)
    assert desk.next(500) == ["a500"]
    desk.add("b", 500, 400)
    assert desk.left == [("b", "late", "b500"), ("b", "late", "b400")]
    desk.add("a", 600)
    assert desk.next(1601) is None
    assert desk.left[-1] == ("a", "stale", "a600")


def test_what_waits_is_bounded_by_number_and_bytes() -> None:
    desk = Desk(newest_only=False)
    desk.add("a", *range(QUEUE_FRAMES + 5))
    assert [item for _, _, item in desk.left] == [f"a{n}" for n in range(5)]
    large = Desk(newest_only=False)
    for time_ms in range(4):
        large.assembler.add("a", Arrival(time_ms * MS, 0.0, f"a{time_ms}", size_bytes=40 << 20))
    assert large.left == [("a", "overrun", "a0"), ("a", "overrun", "a1"), ("a", "overrun", "a2")]


def test_a_camera_that_is_taken_away_leaves_its_frames() -> None:
    desk = Desk()
    desk.add("a", 0)
    desk.add("b", 0)
    desk.assembler.forget("a")
    assert desk.next(0) == ["b0"]
    assert desk.left == [("a", "unused", "a0")]


@given(
    steps=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(1, 400), st.integers(0, 600), st.booleans()), max_size=60
    ),
    newest_only=st.booleans(),
    tolerance_ms=st.integers(1, 300),
)
def test_every_frame_has_one_fate_and_time_goes_forward(
    steps: list[tuple[str, int, int, bool]], newest_only: bool, tolerance_ms: int
) -> None:
    settings = LiveSettings(tolerance_s=tolerance_ms / 1e3, max_wait_s=0.3, max_age_s=1.0)
    left: list[str] = []
    assembler: InstantAssembler[str] = InstantAssembler(
        settings, newest_only=newest_only, leave=lambda _, __, item: left.append(item)
    )
    added: list[str] = []
    used: list[str] = []
    instants: list[int] = []
    last_of: dict[str, int] = {}
    times = dict.fromkeys("abc", 0)
    now_ms = 0
    for camera, step_ms, lag_ms, asks in steps:
        times[camera] += step_ms
        now_ms = max(now_ms, times[camera] + lag_ms)
        assembler.add(camera, Arrival(times[camera] * MS, now_ms / 1e3, f"{camera}{times[camera]}"))
        added.append(f"{camera}{times[camera]}")
        if not asks:
            continue
        found = assembler.next(now_s=now_ms / 1e3, now_ns=now_ms * MS, periods_s=dict.fromkeys("abc", 0.1))
        if isinstance(found, Instant):
            assert found.skew_s <= tolerance_ms / 1e3 + 1e-9
            assert not instants or found.time_ns > instants[-1]
            instants.append(found.time_ns)
            for name, frame in found.frames.items():
                assert frame.time_ns > last_of.get(name, -1)
                assert frame.time_ns >= (now_ms - 1000) * MS
                last_of[name] = frame.time_ns
                used.append(frame.item)
        elif found is not None:
            assert 0 < found <= settings.max_wait_s + 1e-9
    for camera in "abc":
        assembler.forget(camera)
    assert sorted(used + left) == sorted(added)
