"""Whatever stands in a file: it is read, or refused in a sentence, soon and with little memory.

MALFORMED_INPUTS=1000 in the environment tries as many, in place of a few.
"""

from __future__ import annotations

import os
import random
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import cv2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.malformed_inputs import Input, broken, sound_inputs

LONGEST_S = 5
MOST_MEMORY_KIB = 1 << 20
"""What all of them together may add to the largest size that the process ever had."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[Input]:
    return sound_inputs(tmp_path_factory.mktemp("inputs"))


def test_the_inputs_are_sound_before_they_are_broken(inputs: list[Input]) -> None:
    assert {one.name: said for one in inputs if (said := one.read())} == {}


@given(number=st.integers(0, 10**6), seed=st.integers(0, 2**32))
@settings(
    max_examples=int(os.environ.get("MALFORMED_INPUTS", "60")),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_malformed_input_is_refused_in_a_sentence(inputs: list[Input], number: int, seed: int) -> None:
    chance = random.Random(seed)
    one = inputs[number % len(inputs)]
    path = chance.choice(one.files)
    content = path.read_bytes()
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        path.write_bytes(broken(content, chance))
        with ended_after(LONGEST_S):
            for sentence in one.read():
                assert len(sentence) < 2000
    finally:
        path.write_bytes(content)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < MOST_MEMORY_KIB, (one.name, path.name)


@contextmanager
def ended_after(seconds: int) -> Iterator[None]:
    def hangs(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"it takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def quiet_decoders() -> Iterator[None]:
    """OpenCV tells of each damaged picture on stderr."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    yield
    cv2.utils.logging.setLogLevel(level)
