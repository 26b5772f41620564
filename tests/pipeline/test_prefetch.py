"""An iterator in a thread: the same items, the same errors, and an end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from perception.pipeline.prefetch import Prefetcher


def ahead_threads() -> int:
    return sum(thread.name == "ahead" for thread in threading.enumerate())


@pytest.mark.parametrize("depth", [1, 3, 100])
def test_the_same_items_in_the_same_order(depth: int) -> None:
    with Prefetcher(range(50), depth=depth) as items:
        assert list(items) == list(range(50))
        assert list(items) == []
    assert ahead_threads() == 0


def test_the_next_item_is_computed_while_the_last_is_used() -> None:
    begun = [threading.Event() for _ in range(3)]

    def watched() -> Iterator[int]:
        for number, event in enumerate(begun):
            event.set()
            yield number

    with Prefetcher(watched()) as items:
        assert next(items) == 0
        assert begun[1].wait(10)  # nobody has asked for it yet


def test_no_more_than_the_depth_is_computed_ahead() -> None:
    computed: list[int] = []

    def counted() -> Iterator[int]:
        for number in range(100):
            computed.append(number)
            yield number

    with Prefetcher(counted(), depth=2) as items:
        for _ in range(5):
            next(items)
        # Two wait and one is in the hands of the thread.
        assert len(computed) <= 5 + 2 + 1


def test_an_error_comes_after_the_items_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    with Prefetcher(broken()) as items:
        assert next(items) == 1
        with pytest.raises(OSError, match="the disk is gone"):
            next(items)
        assert list(items) == []


def test_closing_ends_the_thread_and_the_generator_behind_it() -> None:
    ended = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            ended.set()

    items = Prefetcher(endless())
    assert next(items) == 0
    items.close()
    items.close()
    assert ended.is_set() and ahead_threads() == 0
    assert list(items) == []


def test_two_behind_one_another_end_together() -> None:
    def doubled() -> Iterator[int]:
        with Prefetcher(iter(range(1000))) as numbers:
            for number in numbers:
                yield 2 * number

    with Prefetcher(doubled()) as items:
        assert [next(items) for _ in range(3)] == [0, 2, 4]
    assert ahead_threads() == 0


def test_a_depth_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="depth: expected one or more, got 0"):
        Prefetcher([1], depth=0)
