from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from rich.console import Console

from perception.profiling import Load, Scaling, draw_scaling, measure_scaling, print_scaling
from perception.profiling import scaling as scaling_module
from perception.profiling.scaling import WARM_UP_INSTANTS, measure_interleaved


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of these tests leave nothing running that a rest would wait for."""
    monkeypatch.setattr(scaling_module, "_REST_S", 0.0)


def load(size: int, time_ms: Callable[[int], float]) -> Load:
    return Load(size, lambda: {"detect": time_ms(size), "track": 1.0})


def scaling(power: float) -> Scaling:
    return measure_scaling("cameras", [load(n, lambda n: 10.0 * n**power - 1.0) for n in (1, 2, 4, 8)], instants=3)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_is_that_of_the_times(power: float) -> None:
    assert scaling(power).exponent == pytest.approx(power, abs=1e-6)


def test_one_size_has_no_exponent() -> None:
    assert measure_scaling("cameras", [load(3, float)], instants=1).exponent is None


@pytest.mark.parametrize("instants", [1, 4, 5, 23])
def test_every_size_is_measured_as_often_as_asked_after_the_warm_up(instants: int) -> None:
    done: list[float] = []
    sizes = (1, 5)
    measured = measure_scaling(
        "objects", [load(n, float) for n in sizes], instants=instants, on_instant=lambda times: done.append(1)
    )
    assert [latency.instant_count for latency in measured.latencies.values()] == [instants, instants]
    assert len(done) == len(sizes) * (WARM_UP_INSTANTS + instants)


def test_what_the_warm_up_takes_does_not_count() -> None:
    times = iter([1000.0] * WARM_UP_INSTANTS + [7.0] * 10)
    measured = measure_scaling("objects", [Load(1, lambda: {"track": next(times)})], instants=10)
    assert measured.median_ms(1) == 7.0


def test_sizes_are_interleaved() -> None:
    order: list[int] = []

    def load_of(size: int) -> Load:
        def step() -> dict[str, float]:
            order.append(size)
            return {"track": 1.0}

        return Load(size, step)

    steps = {load.size: load.step for load in (load_of(1), load_of(2))}
    measure_interleaved(steps, instants=4, rounds=2)
    assert order[2 * WARM_UP_INSTANTS :] == [1, 1, 2, 2, 1, 1, 2, 2]


def test_the_table_shows_stages_and_the_picture_is_written(tmp_path: Path) -> None:
    text = io.StringIO()
    print_scaling(scaling(1.0), Console(file=text, width=80), detail="a test")
    assert "Detect" in text.getvalue() and "Scaling exponent: 1.00" in " ".join(text.getvalue().split())
    draw_scaling([scaling(1.0), scaling(0.5)], tmp_path / "scaling.png", title="a test")
    assert cv2.imread(str(tmp_path / "scaling.png")).shape[0] > 300
