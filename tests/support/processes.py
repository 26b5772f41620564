"""Processes of the command line that are signalled, killed, or run out of disk."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from support.commands import process_environment

DEADLINE_S = 120
_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")


def heed_hangup() -> None:
    """For ``preexec_fn``: a closed terminal ends the process, also where the tests themselves run under ``nohup``."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@contextmanager
def running(arguments: Sequence[str], cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own, which is killed at the end where it still runs."""
    process = subprocess.Popen(
        arguments,
        cwd=cwd,
        env=process_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_hangup,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(is_true: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Return when it is; fails when ``process`` ends before, or nothing happens for long."""
    ends_s = time.monotonic() + DEADLINE_S
    while not is_true():
        if process is not None and process.poll() is not None:
            raise AssertionError(f"ended too early: {process.communicate()}")
        assert time.monotonic() < ends_s, "nothing happened"
        time.sleep(0.02)


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def is_alive(pid: int) -> bool:
    """Whether a process runs, and is not only waiting to be collected by its parent."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def children_of(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


@cache
def why_no_small_disk() -> str:
    """The reason why no small file system can be mounted here; empty where one can."""
    if shutil.which("unshare") is None:
        return "no unshare"
    mount = [*_NAMESPACE, "mount -t tmpfs -o size=1m none /mnt"]
    tried = subprocess.run(mount, capture_output=True, text=True, check=False)
    return tried.stderr.strip() if tried.returncode else ""


def on_small_disk(command: str, disk: Path, *, size: str) -> list[str]:
    """The shell ``command`` with a disk of ``size`` mounted at ``disk``; it must copy out what is to last."""
    return [*_NAMESPACE, f"mount -t tmpfs -o size={size} none {disk} && {command}"]
