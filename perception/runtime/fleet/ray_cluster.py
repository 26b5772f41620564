"""Runs tasks on a Ray cluster, whose machines have this package and see the same files under the same names."""

from __future__ import annotations

import logging
import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perception import TELEMETRY_SWITCHES
from perception.errors import PerceptionError, UsageError
from perception.runtime.fleet.engine import Attempts, Outcome, Result, Task, attempt

_PATIENCE_S = 10.0
_ENVIRONMENT = {**TELEMETRY_SWITCHES, "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class RayEngine:
    """The cluster at ``address``; without one, a cluster on this machine is started. Each task takes one processor, and
    ``gpus`` GPUs. A failed task, also one whose machine is gone, is tried again ``retries`` times.

    Raises ``UsageError`` where Ray is not installed or the cluster is not there.
    """

    address: str | None = None
    retries: int = 1
    gpus: int = 0

    def run(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Outcome[Result]]:
        """See ``Engine``."""
        with _connected(self.address) as ray:
            call = ray.remote(_call).options(
                num_cpus=1, num_gpus=self.gpus, max_retries=0, runtime_env={"env_vars": _ENVIRONMENT}
            )
            attempts = Attempts(len(tasks), self.retries)
            running: dict[Any, int] = {}
            while attempts.waiting or running:
                while attempts.waiting:
                    index = attempts.take()
                    running[call.remote(str(Path.cwd()), sys.path, pickle.dumps((function, tasks[index])))] = index
                for reference in ray.wait(list(running), num_returns=1)[0]:
                    index = running.pop(reference)
                    outcome = attempts.ended(index, _result(ray, reference))
                    if outcome is not None:
                        yield outcome


def _result(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        last_line = (str(error).strip().splitlines() or [""])[-1].strip()
        return PerceptionError(f"the cluster lost it: {type(error).__name__} ({last_line}).")


def _call(folder: str, import_paths: Sequence[str], pickled: bytes) -> Any:
    """On a machine of the cluster; files and modules are seen from ``folder``, as where the run was started."""
    try:
        os.chdir(folder)
    except OSError as error:
        return PerceptionError(f"{folder}: is not on every machine of the cluster ({error.strerror}); share it.")
    sys.path += [path for path in import_paths if path not in sys.path]
    # Here, because the function may be one of a module that is found by now.
    return attempt(_unpickled, pickled)


def _unpickled(pickled: bytes) -> Any:
    function, task = pickle.loads(pickled)
    return function(task)


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    ray = import_ray()
    try:
        _need_listener(address)
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
    except (OSError, ValueError, RuntimeError) as error:
        first_line = (str(error).strip().splitlines() or [""])[0]
        raise UsageError(
            f"no Ray cluster can be reached ({first_line}); start one with ray start.", field="address", value=address
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _need_listener(address: str | None) -> None:
    """Raise ``OSError`` where nothing listens at HOST:PORT: Ray itself would wait for minutes, and then end us."""
    host, colon, port = (address or "").rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE_S).close()


def import_ray() -> Any:
    """The package Ray, which reports nothing to its makers. Raises ``UsageError`` where it is not installed."""
    os.environ.update(TELEMETRY_SWITCHES)  # it reads them when it is imported
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "Ray is not installed; install it with: pip install 'perception[ray]'.", field="engine", value="ray"
        ) from error
    return ray
