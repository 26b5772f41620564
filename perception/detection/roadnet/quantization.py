"""RoadNet with 8-bit integers: half of the time on processors that multiply them quickly.

Ranges of all values are measured on pictures (calibration); weights get a scale for each output channel (Jacob et al.
2018). The layers that give the outputs, and all behind them, keep their 32 bits: they cost little and a pixel of a box
is worth more than a 255th of its range.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from perception.detection.roadnet.onnx_export import LAST_LAYERS

_QUANTISED = ["Conv", "Add", "Resize", "Concat", "Gather", "LeakyRelu", "MaxPool"]


def quantise(graph: bytes, pictures: Sequence[NDArray[np.uint8]]) -> bytes:
    """The content of ``roadnet_graph`` with 8-bit convolutions; its inputs, outputs and description stay.

    ``pictures`` are batches (B, H, W, 3) of uint8 RGB that look like what the network will see.
    """
    model = onnx.load_from_string(graph)
    last = [node.name for node in model.graph.node if node.name.startswith(LAST_LAYERS)]
    maps = _maps(model)
    behind = [node.name for node in model.graph.node if node.op_type in _QUANTISED and node.name not in maps]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        level = logging.root.level
        logging.root.setLevel(logging.ERROR)  # it advises what is not needed here
        try:
            quantize_static(
                model,
                str(path),
                _Pictures(pictures),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                # Processors without VNNI add pairs of products in 16 bits, which full 8-bit weights overflow.
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=_QUANTISED,
                nodes_to_exclude=[*last, *behind],
                # Ranges follow the pictures instead of the one most extreme among them.
                extra_options={"CalibMovingAverage": True},
            )
        finally:
            logging.root.setLevel(level)
        return path.read_bytes()


def _maps(model: onnx.ModelProto) -> set[str]:
    """The nodes that make the network's maps: those of its layers, and none that decodes boxes or joins outputs."""
    makers = {output: node.name for node in model.graph.node for output in node.output}
    maps: set[str] = set()
    for node in model.graph.node:  # each stands behind those that it needs
        if node.name.startswith(LAST_LAYERS) or node.op_type not in _QUANTISED:
            continue
        made_by = [makers[name] for name in node.input if name in makers]
        if node.op_type == "Conv" or (made_by and maps.issuperset(made_by)):
            maps.add(node.name)
    return maps


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """One picture at a time, so that measuring many of them takes little memory."""

    def __init__(self, batches: Sequence[NDArray[np.uint8]]) -> None:
        self._pictures: Iterator[NDArray[np.uint8]] = (batch[i : i + 1] for batch in batches for i in range(len(batch)))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        picture = next(self._pictures, None)
        return None if picture is None else {"images": picture}
