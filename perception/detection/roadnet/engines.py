"""What computes RoadNet: PyTorch on any device, or ONNX Runtime on a processor. Both give the same outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.detection.roadnet.network import RoadNet, road_user_scores, to_input
from perception.detection.roadnet.onnx_export import CONFIG_KEY, FEATURE_SPACE_KEY, OUTPUTS
from perception.errors import UsageError
from perception.files import parse_json
from perception.taxonomy import CLASSES

EngineName = Literal["auto", "torch", "onnx"]


def choose_engine(name: EngineName, *, device: torch.device, half: bool) -> Literal["torch", "onnx"]:
    """ "auto" is ONNX Runtime on a processor, which takes it about half of PyTorch's time, and PyTorch elsewhere.

    Raises ``UsageError`` where the engine cannot do what is asked.
    """
    if name == "auto":
        return "onnx" if device.type == "cpu" and not half else "torch"
    if name == "onnx" and device.type != "cpu":
        raise UsageError(
            f"computes on the CPU, not on {device}; leave one of the two away.", field="engine", value=name
        )
    if name == "onnx" and half:
        raise UsageError(
            "ONNX Runtime computes with 32 bits; choose PyTorch as the `engine`, or leave `half` away.", field="half"
        )
    return name


Pixels = NDArray[np.uint8] | Tensor

_MOST_CAPTURED = 4
"""Sizes of batches whose graphs are kept: each holds the memory of all its layers."""


class DenseOutputs(NamedTuple):
    """At A grid points of B images, on the engine's device: ``scores`` (B, A, C) in 0..1 over ``CLASSES``,
    ``boxes_xyxy`` (B, A, 4) in pixels of the input, ``embeddings`` (B, A, F) of length 1."""

    scores: Tensor
    boxes_xyxy: Tensor
    embeddings: Tensor


class RoadNetEngine(Protocol):
    """Computes on ``device``; embeddings have ``embedding_size`` numbers; ``title`` is what a person calls it."""

    device: torch.device
    embedding_size: int
    title: str

    def __call__(self, images: Pixels) -> DenseOutputs:
        """``images`` (B, H, W, 3) uint8 RGB, H and W multiples of 32, wherever they lie."""


class RoadNetTorchEngine:
    """``half`` computes in bfloat16 on a CPU and float16 on a GPU, boxes always in float32. ``model`` is changed: its
    weights get the precision. On a GPU a size of batch that comes again is captured as a graph and replayed: starting
    the network's kernels one by one takes longer than computing them."""

    def __init__(self, model: RoadNet, *, device: torch.device, half: bool = False) -> None:
        self.device = device
        self.embedding_size = model.config.embedding_size
        self.title = f"PyTorch on {device}{' with 16 bits' if half else ''}"
        half_dtype = torch.float16 if device.type == "cuda" else torch.bfloat16
        self._dtype = half_dtype if half else torch.float32
        self._stands_for = model.config.stands_for
        # On a CPU channels are shuffled fastest where each lies in one piece.
        order = torch.contiguous_format if device.type == "cpu" else torch.channels_last
        self._model = model.eval().to(device, self._dtype, memory_format=order)  # type: ignore[call-overload]
        self._captured: dict[torch.Size, _Captured] = {}
        self._seen: set[torch.Size] = set()

    @torch.inference_mode()
    def __call__(self, images: Pixels) -> DenseOutputs:
        pixels = torch.as_tensor(images, device=self.device)
        if self.device.type != "cuda":
            return self._compute(pixels)
        captured = self._captured.pop(pixels.shape, None)
        if captured is None and pixels.shape not in self._seen:
            # Capturing takes as long as many forwards: a size that comes once, as with cameras that drop out, is not.
            self._seen.add(pixels.shape)
            return self._compute(pixels)
        self._captured[pixels.shape] = captured = captured or _Captured(self._compute, pixels)  # the latest stands last
        if len(self._captured) > _MOST_CAPTURED:
            del self._captured[next(iter(self._captured))]
        return captured(pixels)

    def _compute(self, pixels: Tensor) -> DenseOutputs:
        output = self._model(to_input(pixels).to(self._dtype))
        scores = road_user_scores(output.class_logits.sigmoid(), self._stands_for)
        return DenseOutputs(scores, output.boxes_xyxy, output.embeddings)


class _Captured:
    """A computation on a GPU as a CUDA graph, for pixels of one shape."""

    def __init__(self, compute: Callable[[Tensor], DenseOutputs], pixels: Tensor) -> None:
        self._pixels = pixels.clone()
        beside = torch.cuda.Stream(pixels.device)  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream(pixels.device))
        with torch.cuda.stream(beside):  # before it can be captured, libraries choose their kernels
            for _ in range(3):
                compute(self._pixels)
        torch.cuda.current_stream(pixels.device).wait_stream(beside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(pixels.device), torch.cuda.graph(self._graph, stream=beside):
            self._outputs = compute(self._pixels)

    def __call__(self, pixels: Tensor) -> DenseOutputs:
        self._pixels.copy_(pixels)
        self._graph.replay()
        return DenseOutputs(*(output.clone() for output in self._outputs))  # the next replay writes over these


class RoadNetOnnxEngine:
    """A graph of ``roadnet_graph`` on as many threads as PyTorch was left; ``source`` is its file or its content.

    It takes as many pictures at once as there are threads: the maps of a larger batch do not stay in the caches. On two
    cores six pictures in pairs take about a tenth less than all together.

    Raises ``UsageError`` when a file is not readable or not of a RoadNet of this version.
    """

    device = torch.device("cpu")
    title = "ONNX Runtime on cpu"

    def __init__(self, source: Path | bytes) -> None:
        options = onnxruntime.SessionOptions()
        self._at_once = options.intra_op_num_threads = torch.get_num_threads()
        where, given = (source, str(source)) if isinstance(source, Path) else ("graph", source)
        try:
            self._session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
            described = self._session.get_modelmeta().custom_metadata_map
            config = parse_json(described[CONFIG_KEY])
            self.embedding_size = int(config["embedding_size"])
            self.feature_space = described[FEATURE_SPACE_KEY]
        except Exception as error:  # ONNX Runtime raises types of its own for each kind of damage
            raise UsageError(f"{where}: not a readable RoadNet of this version; export it again.") from error
        self._stands_for = tuple(config.get("stands_for", config.get("classes")) or ())
        if not self._stands_for or not all(name in (*CLASSES, None) for name in self._stands_for):
            raise UsageError(f"{where}: finds other classes; give a network for {', '.join(CLASSES)}.")

    def __call__(self, images: Pixels) -> DenseOutputs:
        pixels = np.asarray(images)
        starts = range(0, len(pixels), self._at_once)
        parts = [self._session.run(list(OUTPUTS), {"images": pixels[at : at + self._at_once]}) for at in starts]
        together = DenseOutputs(*(torch.cat([*map(torch.from_numpy, outputs)]) for outputs in zip(*parts, strict=True)))
        return together._replace(scores=road_user_scores(together.scores, self._stands_for))
