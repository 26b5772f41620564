"""Two processes that train together, as ``torchrun`` would start them.

What ``torchrun`` says to its processes stands in the environment; saying it directly saves its own start. One test of
the train command starts the real ``torchrun``.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from support.commands import process_environment

HANGS_AFTER_S = 1800
"""Never waited for: processes end when they are done, however busy the machine is."""

LAST_WORDS_S = 120
"""After one has failed, the other may still have to report why; one that waits for the first is ended."""


def run_two_processes(command: Sequence[object], folder: Path) -> list[subprocess.CompletedProcess[str]]:
    """Run ``command`` as both processes of a training, in ``folder``; where one fails, the other is soon ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "test"}
    words = [str(word) for word in command]
    processes = []
    for rank in "01":
        environment = process_environment() | group | {"RANK": rank, "LOCAL_RANK": rank}
        # Files, and not pipes: nobody reads while both run.
        with (folder / f"out{rank}").open("w") as out, (folder / f"err{rank}").open("w") as err:
            processes.append(subprocess.Popen(words, cwd=folder, env=environment, stdout=out, stderr=err))
    try:
        while any(process.poll() is None for process in processes) and not any(p.poll() for p in processes):
            time.sleep(0.05)
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=LAST_WORDS_S)
    finally:
        for process in processes:
            process.kill()  # nothing where it has ended
            process.wait()
    texts = [[(folder / f"{kind}{rank}").read_text() for kind in ("out", "err")] for rank in "01"]
    return [
        subprocess.CompletedProcess(words, process.returncode, *text)
        for process, text in zip(processes, texts, strict=True)
    ]
