"""ONNX files of other programs, tried before they are loaded here."""

from __future__ import annotations

from pathlib import Path

from perception.errors import UsageError
from perception.safety.input_limits import MAX_WEIGHTS_BYTES
from perception.safety.regular_files import check_regular
from perception.safety.trial import trial

_PROGRAM = """
import numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
shapes = {port.name: [side if isinstance(side, int) else 1 for side in port.shape] for port in session.get_inputs()}
kinds = {"tensor(uint8)": numpy.uint8, "tensor(int64)": numpy.int64}
if sum(numpy.prod(shape, dtype=float) for shape in shapes.values()) < 1e8:
    session.run(None, {
        port.name: numpy.zeros(shapes[port.name], kinds.get(port.type, numpy.float32)) for port in session.get_inputs()
    })
"""


def check_onnx_file(path: Path) -> None:
    """Raise ``UsageError`` where ``path`` is no regular file, or its loading would end the process, or never end.

    A file that is refused with an exception passes: whoever loads it here has the sentence for that.
    """
    try:
        check_regular(path, max_bytes=MAX_WEIGHTS_BYTES)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check the name and the rights.") from error
    code = trial(_PROGRAM, path)
    if code is None or code < 0:
        raise UsageError(f"{path}: not a readable ONNX file: loading it ends or stops the program; export it again.")
