"""Foreign networks are tried in a process of their own first: a damaged file can end the process that loads it.

ncnn follows the numbers of a file without a check, and of ONNX Runtime parsers and kernels are known that do. Such a
fault ends the trial, and this process says one sentence.
"""

from __future__ import annotations

import subprocess
import sys

from perception.safety.input_limits import MAX_FOREIGN_MEMORY_BYTES, MAX_FOREIGN_S

_LIMITS = f"""\
import resource, sys
sys.path[:] = [folder for folder in sys.path if folder]
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
hard = resource.getrlimit(resource.RLIMIT_AS)[1]
limit = {MAX_FOREIGN_MEMORY_BYTES}
resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
"""


def trial(program: str, *arguments: object) -> int | None:
    """The exit code of a Python ``program`` that gets ``arguments`` as text; negative after a signal.

    None when it takes longer than ``MAX_FOREIGN_S``. It has no more memory than ``MAX_FOREIGN_MEMORY_BYTES``, does not
    import from the working folder, and what it prints is thrown away.
    """
    command = [sys.executable, "-c", _LIMITS + program, *map(str, arguments)]
    try:
        finished = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=MAX_FOREIGN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return finished.returncode
