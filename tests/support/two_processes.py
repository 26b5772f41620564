"""Two processes that train together, as ``torchrun`` would start them.

What ``torchrun`` says to its processes stands in the environment; saying it directly saves its own start. One test of
the train command starts the real ``torchrun``.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from support.commands import process_environment

HANGS_AFTER_S = 1800
"""Never waited for: processes end when they are done, however busy the machine is."""


def run_two_processes(command: Sequence[object], folder: Path) -> list[subprocess.CompletedProcess[str]]:
    """Run ``command`` as both processes of a training, in ``folder``; where one fails, the other is not waited for."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "test"}
    words = [str(word) for word in command]
    processes = []
    for rank in "01":
        files = {"stdout": (folder / f"out{rank}").open("w"), "stderr": (folder / f"err{rank}").open("w")}
        environment = process_environment() | group | {"RANK": rank, "LOCAL_RANK": rank}
        processes.append(subprocess.Popen(words, cwd=folder, env=environment, **files))
    try:
        while any(process.poll() is None for process in processes) and not any(p.poll() for p in processes):
            time.sleep(0.05)
    finally:
        for process in processes:
            if process.poll() is None and any(p.returncode for p in processes):
                process.terminate()
            process.wait(timeout=HANGS_AFTER_S)
    texts = [[(folder / f"{kind}{rank}").read_text() for kind in ("out", "err")] for rank in "01"]
    return [
        subprocess.CompletedProcess(words, process.returncode, *text)
        for process, text in zip(processes, texts, strict=True)
    ]
