"""What computes RoadNet: PyTorch on any device, or ONNX Runtime on a processor. Both give the same answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.detection.roadnet import RoadNet, fold_batch_norms, to_input
from perception.detection.roadnet_onnx import CONFIG_KEY, FEATURE_SPACE_KEY, OUTPUTS
from perception.errors import UsageError
from perception.types import CLASSES

EngineName = Literal["auto", "torch", "onnx"]


def choose_engine(name: EngineName, *, device: torch.device, half: bool) -> Literal["torch", "onnx"]:
    """ "auto" is ONNX Runtime on a processor, which takes it about half of PyTorch's time, and PyTorch elsewhere.

    Raises ``UsageError`` where the engine cannot do what is asked.
    """
    if name == "auto":
        return "onnx" if device.type == "cpu" and not half else "torch"
    if name == "onnx" and device.type != "cpu":
        raise UsageError(f"--engine onnx: computes on the CPU, not on {device}; leave one of the two away.")
    if name == "onnx" and half:
        raise UsageError("--half: ONNX Runtime computes with 32 bits; give --engine torch, or leave --half away.")
    return name


class Answers(NamedTuple):
    """At A places of B images, on the engine's device: ``scores`` (B, A, C) in 0..1, ``boxes_xyxy`` (B, A, 4) in pixels
    of the input, ``embeddings`` (B, A, F) of length 1."""

    scores: Tensor
    boxes_xyxy: Tensor
    embeddings: Tensor


class RoadNetEngine(Protocol):
    """Computes on ``device``; embeddings have ``embedding_size`` numbers; ``title`` is what a person calls it."""

    device: torch.device
    embedding_size: int
    title: str

    def __call__(self, images: NDArray[np.uint8]) -> Answers:
        """``images`` (B, H, W, 3) uint8 RGB, H and W multiples of 32."""


class TorchEngine:
    """``half`` computes in bfloat16 on a CPU and float16 on a GPU. ``model`` is changed: batch norms are folded."""

    def __init__(self, model: RoadNet, *, device: torch.device, half: bool = False) -> None:
        self.device = device
        self.embedding_size = model.config.embedding_size
        self.title = f"PyTorch on {device}{' with 16 bits' if half else ''}"
        self._half_dtype = (torch.float16 if device.type == "cuda" else torch.bfloat16) if half else None
        fold_batch_norms(model.eval())
        self._model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def __call__(self, images: NDArray[np.uint8]) -> Answers:
        inputs = to_input(torch.from_numpy(images).to(self.device))
        with torch.autocast(self.device.type, dtype=self._half_dtype, enabled=self._half_dtype is not None):
            output = self._model(inputs)
        return Answers(output.class_logits.sigmoid(), output.boxes_xyxy, output.embeddings)


class OnnxEngine:
    """A graph of ``roadnet_onnx`` on as many threads as PyTorch was left; ``source`` is its file or its content.

    Raises ``UsageError`` when a file is not readable or not of a RoadNet of this version.
    """

    device = torch.device("cpu")
    title = "ONNX Runtime on cpu"

    def __init__(self, source: Path | bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        where, given = (source, str(source)) if isinstance(source, Path) else ("graph", source)
        try:
            self._session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
            described = self._session.get_modelmeta().custom_metadata_map
            config = json.loads(described[CONFIG_KEY])
            self.embedding_size = int(config["embedding_size"])
            self.feature_space = described[FEATURE_SPACE_KEY]
        except Exception as error:  # ONNX Runtime raises types of its own for each kind of damage
            raise UsageError(f"{where}: not a readable RoadNet of this version; export it again.") from error
        if config.get("classes") != list(CLASSES):
            raise UsageError(f"{where}: finds other classes; give a network for {', '.join(CLASSES)}.")

    def __call__(self, images: NDArray[np.uint8]) -> Answers:
        return Answers(*map(torch.from_numpy, self._session.run(list(OUTPUTS), {"images": images})))
