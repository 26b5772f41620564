"""The same tasks in this process, in processes of their own, and on a cluster of two machines."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fleet_tasks import squared
from support.ray_clusters import two_nodes

from perception.errors import UsageError
from perception.runtime.fleet.engine import Engine, Outcome
from perception.runtime.fleet.local import LocalEngine

cluster_address = pytest.fixture(scope="module")(two_nodes)


@pytest.fixture(params=["here", "processes", "ray"])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "ray":
        from perception.runtime.fleet.ray_cluster import RayEngine

        return RayEngine(request.getfixturevalue("cluster_address"))
    return LocalEngine(workers=1 if request.param == "here" else 2)


def outcomes(engine: Engine, tasks: list[tuple[str, int]]) -> list[Outcome[int]]:
    return sorted(engine.run(squared, tasks), key=lambda outcome: outcome.index)


def test_a_failure_is_tried_again_and_reported_and_ends_no_other_task(engine: Engine, tmp_path: Path) -> None:
    words = ["fine", "wrong", "broken", f"once:{tmp_path / 'mark'}", "unexpected", "fine"]
    found = outcomes(engine, [(word, number) for number, word in enumerate(words)])
    assert [outcome.value for outcome in found] == [0, None, None, 9, None, 25]
    # Wrong input is wrong the second time, too.
    assert [outcome.attempts for outcome in found] == [1, 1, 2, 2, 2, 1]
    assert [str(outcome.failure) for outcome in found if outcome.failure] == [
        "1: is wrong; correct it.",
        "2: broke.",
        "unexpected KeyError (4).",
    ]
    assert isinstance(found[1].failure, UsageError)


def test_a_process_that_dies_fails_its_own_task_alone() -> None:
    found = outcomes(LocalEngine(workers=2), [("dies", 0), *(("fine", number) for number in range(1, 5))])
    assert [outcome.value for outcome in found] == [None, 1, 4, 9, 16]
    assert found[0].attempts == 2 and "ended unexpectedly (code 3)" in str(found[0].failure)
    assert outcomes(LocalEngine(workers=2), []) == []
