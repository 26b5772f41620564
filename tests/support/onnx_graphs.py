"""Tiny ONNX files of other people's layouts: graphs that look at their picture only to see whether it is bright."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.types import Frame

Shape = Sequence[int | str]


def write_answers(
    path: Path,
    answers: Mapping[str, NDArray[np.generic]],
    *,
    image: tuple[str, Shape] = ("images", ("n", 3, "height", "width")),
    lit: Sequence[str] = (),
    sizes_input: str | None = None,
    shapes: Mapping[str, Shape] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """A network that gives ``answers`` (1, ...) for each picture; those named in ``lit`` are 0 for a dark picture.

    ``shapes`` are the outputs' shapes as the file states them, by default free in all but the last axis.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    image_name, image_shape = image
    nodes = [
        helper.make_node("ReduceMean", [image_name], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Relu", ["mean"], ["above"]),
        helper.make_node("Sign", ["above"], ["bright"]),
        helper.make_node("Abs", ["bright"], ["one_or_zero"]),
        helper.make_node("Mul", ["one_or_zero", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "one"], ["one_each"]),
    ]
    constants = [numpy_helper.from_array(np.float32(value), name) for name, value in (("zero", 0), ("one", 1))]
    outputs = []
    for number, (name, answer) in enumerate(answers.items()):
        rank = answer.ndim
        constants += [
            numpy_helper.from_array(answer.astype(np.float32), f"answer{number}"),
            numpy_helper.from_array(np.array([-1] + [1] * (rank - 1), np.int64), f"shape{number}"),
        ]
        factor = "one_or_zero" if name in lit else "one_each"
        is_whole = answer.dtype == np.int64
        product = f"product{number}" if is_whole else name
        nodes += [
            helper.make_node("Reshape", [factor, f"shape{number}"], [f"factor{number}"]),
            helper.make_node("Mul", [f"answer{number}", f"factor{number}"], [product]),
        ]
        if is_whole:
            nodes.append(helper.make_node("Cast", [product], [name], to=TensorProto.INT64))
        stated = (shapes or {}).get(name, [f"{name}_{axis}" for axis in range(rank - 1)] + [answer.shape[-1]])
        kind = TensorProto.INT64 if is_whole else TensorProto.FLOAT
        outputs.append(helper.make_tensor_value_info(name, kind, list(stated)))
    inputs = [helper.make_tensor_value_info(image_name, TensorProto.FLOAT, list(image_shape))]
    if sizes_input is not None:
        inputs.append(helper.make_tensor_value_info(sizes_input, TensorProto.INT64, ["m", 2]))
    graph = helper.make_graph(nodes, "test", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    onnx.save(model, path)
    return path


def plain_frame(value: int = 200, *, width: int = 128, height: int = 128, camera: str = "front") -> Frame:
    """One grey."""
    return Frame(np.full((height, width, 3), value, np.uint8), camera, 0, 0)


def maps(levels: int, channels: int, *, width: int = 128, height: int = 128) -> list[NDArray[np.float32]]:
    """Zeros (1, channels, h, w) for strides 8, 16, 32, ... of an input."""
    strides = [8 << level for level in range(levels)]
    return [np.zeros((1, channels, -(-height // s), -(-width // s)), np.float32) for s in strides]


def set_sides(level: NDArray[np.float32], row: int, column: int, strides_ltrb: Sequence[int], *, bins: int = 8) -> None:
    """Distributions (1, 4 * bins, h, w) of one cell that are sure of ``strides_ltrb``."""
    for side, whole in enumerate(strides_ltrb):
        level[0, side * bins + whole, row, column] = 100
