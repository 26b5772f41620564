"""The states of a camera, with a clock and chance of the test's own."""

from __future__ import annotations

import random

import pytest

from perception.sources.live.settings import LiveSettings
from perception.sources.live.supervisor import CameraState, Supervisor

SETTINGS = LiveSettings(stale_after_s=2, lost_after_s=10, frozen_after_s=5, first_pause_s=1, longest_pause_s=30)


@pytest.fixture
def supervisor() -> Supervisor:
    return Supervisor(SETTINGS, now_s=100.0, chance=random.Random(0))


def test_a_camera_goes_live_with_its_first_picture(supervisor: Supervisor) -> None:
    assert supervisor.state is CameraState.CONNECTING
    supervisor.connected(101.0)
    assert supervisor.state is CameraState.CONNECTING
    change, is_repeated = supervisor.picture(101.5, 1)
    assert change is not None and (change.before, change.after) == (CameraState.CONNECTING, CameraState.LIVE)
    assert change.lasted_s == 1.5 and not is_repeated
    assert supervisor.picture(101.6, 2) == (None, False)


def test_silence_makes_it_stale_and_then_its_connection_is_given_up(supervisor: Supervisor) -> None:
    supervisor.connected(100.0)
    supervisor.picture(100.0, 1)
    assert supervisor.watch(101.9) == (None, False)
    change, gives_up = supervisor.watch(102.0)
    assert change is not None and change.after is CameraState.STALE and not gives_up
    assert "nothing for 2.0 s" in change.cause
    assert supervisor.watch(110.0)[1]
    change, _ = supervisor.picture(110.1, 2)
    assert change is not None and (change.before, change.after) == (CameraState.STALE, CameraState.LIVE)


def test_a_camera_that_is_slow_by_itself_is_not_stale(supervisor: Supervisor) -> None:
    supervisor.connected(100.0)
    supervisor.picture(100.0, 1)
    assert supervisor.watch(104.9, period_s=1.0) == (None, False)
    assert supervisor.watch(105.1, period_s=1.0)[0] is not None
    assert not supervisor.watch(112.0, period_s=4.0)[1]


def test_the_same_picture_for_long_is_a_frozen_camera_until_another_comes(supervisor: Supervisor) -> None:
    supervisor.connected(100.0)
    found = [supervisor.picture(100.0 + second, 7) for second in range(8)]
    assert [is_repeated for _, is_repeated in found] == [False] * 5 + [True] * 3
    assert [change.after for change, _ in found if change is not None] == [CameraState.LIVE, CameraState.FROZEN]
    change, is_repeated = supervisor.picture(108.0, 8)
    assert change is not None and change.after is CameraState.LIVE and not is_repeated


def test_pictures_of_unknown_content_are_never_frozen(supervisor: Supervisor) -> None:
    supervisor.connected(100.0)
    assert not any(supervisor.picture(100.0 + second, None)[1] for second in range(100))


def test_pauses_grow_and_are_jittered_and_begin_again_after_a_stable_connection(supervisor: Supervisor) -> None:
    pauses = [supervisor.failed(100.0 + number, "refused")[1] for number in range(10)]
    for number, pause_s in enumerate(pauses):
        longest_s = min(30.0, 2.0**number)
        assert longest_s / 2 <= pause_s <= longest_s
    assert len({round(pause_s / min(30.0, 2.0**number), 6) for number, pause_s in enumerate(pauses)}) == 10
    supervisor.connected(200.0)
    assert supervisor.failed(201.0, "broke off")[1] >= 15
    supervisor.connected(300.0)
    assert supervisor.failed(300.0 + SETTINGS.stable_after_s, "broke off")[1] <= 1


def test_losses_and_the_time_away_are_counted(supervisor: Supervisor) -> None:
    supervisor.connected(100.0)
    supervisor.picture(100.0, 1)
    assert supervisor.missing_s(100.5) == 0
    change, _ = supervisor.failed(101.0, "the stream ended.")
    assert change is not None and change.after is CameraState.LOST and change.cause == "the stream ended."
    assert supervisor.failed(102.0, "refused")[0] is None
    assert supervisor.missing_s(103.0) == 3.0
    supervisor.connected(103.5)
    supervisor.picture(104.0, 2)
    assert (supervisor.losses, supervisor.away_s) == (1, 3.0)


def test_a_camera_of_unreadable_pictures_only_is_given_up_and_missing(supervisor: Supervisor) -> None:
    supervisor.connected(100.0)
    for second in range(12):
        supervisor.picture(100.0 + second, second)
        supervisor.decoded(100.0 + second, is_readable=False)
        _, gives_up = supervisor.watch(100.0 + second)
        assert gives_up == (second >= 10)
    assert supervisor.missing_s(112.0) == 12.0
    supervisor.decoded(112.0, is_readable=True)
    supervisor.picture(112.0, 99)
    assert supervisor.missing_s(112.0) == 0


def test_a_recording_ends(supervisor: Supervisor) -> None:
    supervisor.connected(100.0)
    supervisor.picture(100.0, None)
    change = supervisor.ended(101.0)
    assert change is not None and change.after is CameraState.ENDED
    assert supervisor.watch(1000.0) == (None, False)
