"""Stages side by side: what an iterator gives next is computed in a thread while its last item is being used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class _End:
    """No more items, because of ``error`` where there is one."""

    error: BaseException | None


class Prefetcher(Iterator[Item], Generic[Item]):
    """The same items in the same order, at most ``depth`` of them computed before they are asked for.

    What the iterator raises is raised here, after the items before it. ``close``, or the end of a ``with`` block, ends
    the thread once the item in progress is done; whoever leaves items behind must call it.
    """

    def __init__(self, items: Iterable[Item], *, depth: int = 1) -> None:
        if depth < 1:
            raise ValueError(f"depth: expected one or more, got {depth}")
        self._waiting: queue.Queue[Item | _End] = queue.Queue(depth)
        self._closed = threading.Event()
        self._ended: _End | None = None
        self._thread = threading.Thread(target=self._work, args=[iter(items)], daemon=True, name="prefetch")
        self._thread.start()

    def __next__(self) -> Item:
        if self._ended is None:
            item = self._waiting.get()
            if not isinstance(item, _End):
                return item
            self._ended = item
            if item.error is not None:
                raise item.error
        raise StopIteration

    def close(self) -> None:
        """Items that wait are dropped; afterwards there are none."""
        self._closed.set()
        self._ended = self._ended or _End(None)
        while self._thread.is_alive():
            # A thread that waits for room gets some, sees that this is closed, and ends.
            try:
                self._waiting.get(timeout=0.05)
            except queue.Empty:
                continue
        self._thread.join()

    def __enter__(self) -> Prefetcher[Item]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self, items: Iterator[Item]) -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if self._closed.is_set():
                    break
                self._waiting.put(item)
                if self._closed.is_set():
                    break
        except BaseException as raised:  # it belongs to whoever asks for the next item
            error = raised
        finally:
            close = getattr(items, "close", None)  # a generator's ``finally`` runs here, in the thread that ran it
            if close is not None:
                close()
        if not self._closed.is_set():
            self._waiting.put(_End(error))
