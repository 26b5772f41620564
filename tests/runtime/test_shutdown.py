"""Ctrl-C as a request."""

import signal
import threading

import pytest

from perception.runtime.shutdown import ShutdownRequest


def test_the_first_signal_asks_and_the_second_interrupts() -> None:
    closed = threading.Event()
    with ShutdownRequest(on_stop=closed.set) as stop:
        assert stop.reason is None
        signal.raise_signal(signal.SIGINT)
        assert stop.reason == "Ctrl-C"
        assert stop.signal == signal.SIGINT
        assert closed.wait(10)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with ShutdownRequest(on_stop=lambda: None):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_what_nohup_started_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ShutdownRequest(on_stop=lambda: None) as stop:
            signal.raise_signal(signal.SIGHUP)
        assert stop.signal is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_time_asks_by_itself() -> None:
    closed = threading.Event()
    with ShutdownRequest(on_stop=closed.set, after_s=0.01) as stop:
        assert closed.wait(10)
    assert stop.reason == "the time was up"
    assert stop.signal is None


def test_the_first_reason_counts_and_the_source_is_closed_once() -> None:
    closings: list[int] = []
    done = threading.Event()

    def close() -> None:
        closings.append(1)
        done.set()

    with ShutdownRequest(on_stop=close) as stop:
        stop.ask("one")
        stop.ask("two")
        assert done.wait(10)
    assert (stop.reason, closings) == ("one", [1])


def test_another_thread_may_not_take_signals_and_does_not_try() -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with ShutdownRequest(on_stop=lambda: None) as stop:
                stop.ask("enough")
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures
