"""Other people's detectors as ONNX files, run by ONNX Runtime; ``layouts`` knows what their outputs mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from perception.arrays import FloatArray
from perception.class_names import METADATA_KEYS, ClassMap, names_of
from perception.detection.backends.layouts.layout import Decoded, Graph, Layout, Port
from perception.detection.backends.layouts.recognition import recognize
from perception.detection.letterbox import PADDING_GREY, Letterbox, canvas_size, letterbox, stretch
from perception.detection.nms import nms
from perception.detection.settings import USUAL_IMAGE_SIZE_PX, DetectionSettings
from perception.errors import UsageError
from perception.safety.onnx_files import check_onnx_file
from perception.types import NO_FEATURE_SPACE, Detections, Frame

_GRAPH_NAME_OF_FREE = ("batch", None, "height", "width")
_TASK_KEY, _DETECTION = "task", "detect"
_SCORE_TOLERANCE = 1e-3


class OnnxDetector:
    """A file of a known layout. Its classes are COCO's, or those that its metadata or the settings' ``class_map`` name.

    It runs at ``image_size_px`` where its graph takes any size, else at the size it was exported with. It gives no
    features. ``device`` is the CPU when None. Raises ``UsageError`` when the file is missing, not readable, or of
    another kind.
    """

    feature_space = NO_FEATURE_SPACE
    feature_size = 0
    is_calibrated = False

    def __init__(self, path: Path, settings: DetectionSettings, *, device: torch.device | None = None) -> None:
        self.name = path.stem
        self.settings = settings
        self._path = path
        if not path.is_file():
            raise UsageError(f"{path}: there is no such file; check the path.")
        check_onnx_file(path)
        providers = _providers(device)
        self._session = _session(path, str(path), providers)
        self._graph = _graph_of(path, self._session, settings.class_map)
        self.layout: Layout = recognize(self._graph, self._measured())
        asked_px, own = settings.image_size_px, self._graph.fixed_size_px
        if self.layout.is_convolutional and asked_px is not None and own is not None and asked_px != max(own):
            self._session = _session(path, _with_free_size(path, self._graph), providers)
            self._graph = _graph_of(path, self._session, settings.class_map)
        self._check_runs()

    @property
    def runs_on_gpu(self) -> bool:
        return "CUDAExecutionProvider" in self._session.get_providers()

    @property
    def input_size_px(self) -> tuple[int, int] | None:
        """(width, height); None where any size will do."""
        return self._graph.fixed_size_px

    @property
    def long_side_px(self) -> int | None:
        """Of the input; None where the file fixes its size."""
        return None if self.input_size_px else self.settings.image_size_px or self.layout.usual_size_px

    @property
    def known_labels(self) -> NDArray[np.bool_]:
        """(C,): the classes that it can find."""
        return self.layout.columns.known_labels

    def dense(self, images: NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
        """The dense outputs, before suppression: scores (B, A, C) and boxes (B, A, 4) in pixels.

        ``images`` (B, H, W, 3) uint8 RGB of the network's input size. Where the layout has grid points, they are
        ordered as RoadNet's.
        """
        return self._run(images)

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        if not frames:
            return []
        batch = self._prepare(frames)
        scores, boxes = self._run(batch.images)
        kept = nms(
            torch.from_numpy(scores),
            torch.from_numpy(boxes),
            score_threshold=self.settings.confidence,
            iou_threshold=self.settings.iou,
            allowed_labels=torch.from_numpy(self.settings.allowed_labels),
        )
        rows = kept.image_indices.numpy()
        boxes_px = batch.boxes_to_images(kept.boxes_xyxy.numpy(), rows)
        return [
            Detections(
                boxes_xyxy_px=boxes_px[rows == index],
                scores=kept.scores.numpy()[rows == index],
                labels=kept.labels.numpy()[rows == index],
                features=np.zeros((int((rows == index).sum()), 0), np.float32),
                camera=frame.camera,
                image_size_px=frame.size_px,
            )
            for index, frame in enumerate(frames)
        ]

    def _prepare(self, frames: Sequence[Frame]) -> Letterbox[NDArray[np.uint8]]:
        images = [frame.image for frame in frames]
        width, height = self._canvas_size([frame.size_px for frame in frames])
        return (letterbox if self.layout.keeps_aspect else stretch)(images, width=width, height=height)

    def _canvas_size(self, sizes_px: Sequence[tuple[int, int]]) -> tuple[int, int]:
        if self.input_size_px is not None:
            return self.input_size_px
        assert self.long_side_px is not None
        shapes = sizes_px if self.layout.keeps_aspect else [(1, 1)]
        return canvas_size(shapes, long_side_px=self.long_side_px, multiple=self.layout.multiple_px)

    def _run(self, images: NDArray[np.uint8]) -> Decoded:
        size_px = images.shape[2], images.shape[1]
        decoded = [self.layout.decode(outputs, size_px) for outputs in self._outputs(images)]
        if len(decoded) == 1:
            return decoded[0]
        return Decoded(*(np.concatenate(values) for values in zip(*decoded, strict=True)))

    def _outputs(self, images: NDArray[np.uint8]) -> list[list[NDArray[Any]]]:
        """What the graph gives for all ``images`` (B, H, W, 3) together, or one after the other."""
        image_port, size_px = self._graph.image, (images.shape[2], images.shape[1])
        assert image_port is not None
        takes_batches = self.layout.takes_batches and not isinstance(image_port.shape[0], int)
        blob = self.layout.pixels.blob(images)
        found = []
        for part in [blob] if takes_batches else [blob[i : i + 1] for i in range(len(blob))]:
            inputs: dict[str, NDArray[Any]] = {image_port.name: part}
            if self.layout.size_input is not None:
                inputs[self.layout.size_input] = np.tile(np.array(size_px, np.int64), (len(part), 1))
            if self.layout.mask_input is not None:
                inputs[self.layout.mask_input] = np.ones((len(part), *images.shape[1:3]), np.int64)
            found.append(self._session.run(None, inputs))
        return found

    def _measured(self) -> Graph | None:
        """The graph with the sizes that its only output has for a picture, where it does not state them."""
        graph = self._graph
        if graph.image is None or graph.rows is None or None not in graph.rows:
            return None
        width, height = graph.fixed_size_px or (USUAL_IMAGE_SIZE_PX, USUAL_IMAGE_SIZE_PX)
        shape = (1, 3, height, width)
        try:
            (output,) = self._session.run(None, {graph.image.name: np.zeros(shape, np.float32)})
        except Exception:  # ONNX Runtime raises many types of its own; ``_check_runs`` tells what does not run
            return None
        return replace(
            graph,
            inputs=(graph.image._replace(shape=shape),),
            outputs=(graph.outputs[0]._replace(shape=output.shape),),
        )

    def _check_runs(self) -> None:
        """A grey picture shows whether the graph computes what it states, and which reading fits its values.

        Raises ``UsageError``.
        """
        width, height = self._canvas_size([(1, 1)])
        grey = np.full((1, height, width, 3), PADDING_GREY, np.uint8)
        try:
            if self.layout.settle is not None:
                self.layout = self.layout.settle(self.layout, self._outputs(grey)[0], (width, height))
            decoded = self._run(grey)
        except UsageError:
            raise
        except Exception as error:  # ONNX Runtime raises many types of its own, and numpy's where shapes do not fit
            reason = " ".join(str(error).split())
            raise UsageError(
                f"{self._path}: looks like {self.layout.title} and cannot be run at {width}x{height} pixels ({reason});"
                " export it again, or ask for another `image_size_px`."
            ) from error
        low, high = decoded.scores.min(initial=0.0), decoded.scores.max(initial=0.0)
        if not (low >= -_SCORE_TOLERANCE and high <= 1 + _SCORE_TOLERANCE and np.isfinite(decoded.boxes_xyxy).all()):
            raise UsageError(
                f"{self._path}: looks like {self.layout.title}, and its scores of a grey picture run from {low:.3g} "
                f"to {high:.3g}, or its boxes are no numbers; export it with scores from 0 to 1."
            )


def _session(path: Path, model: str | bytes, providers: list[str]) -> onnxruntime.InferenceSession:
    try:
        return onnxruntime.InferenceSession(model, providers=providers)
    except Exception as error:  # ONNX Runtime raises many types of its own; each means an unreadable file
        raise UsageError(f"{path}: not a readable ONNX file; export it again.") from error


def _graph_of(path: Path, session: onnxruntime.InferenceSession, class_map: ClassMap) -> Graph:
    """What the file states; names of the user's ``class_map`` go before its own."""
    inputs, outputs = (
        tuple(Port(port.name, tuple(port.shape), port.type) for port in ports)
        for ports in (session.get_inputs(), session.get_outputs())
    )
    stated = session.get_modelmeta().custom_metadata_map
    if stated.get(_TASK_KEY, _DETECTION) != _DETECTION:
        raise UsageError(f"{path}: is a network for the task {stated[_TASK_KEY]}; give one for {_DETECTION}.")
    named = (names_of(stated[key]) for key in METADATA_KEYS if key in stated)
    names = class_map.names or next((names for names in named if names is not None), None)
    return Graph(path, inputs, outputs, replace(class_map, names=names))


def _with_free_size(path: Path, graph: Graph) -> bytes:
    """The file with a graph whose pictures may have any number and size; shapes of what it computes are left out."""
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf raises types of its own for what ONNX Runtime may have taken
        raise UsageError(f"{path}: its size cannot be changed; export it with the size that is asked for.") from error
    for port in (*model.graph.input, *model.graph.output):
        is_image = graph.image is not None and port.name == graph.image.name
        for index, dimension in enumerate(port.type.tensor_type.shape.dim):
            free = _GRAPH_NAME_OF_FREE[index] if is_image else f"{port.name}_{index}"
            if free is not None and (is_image or index < 3):
                dimension.dim_param = free
    del model.graph.value_info[:]
    content: bytes = model.SerializeToString()
    return content


def _providers(device: torch.device | None) -> list[str]:
    """ONNX Runtime's back ends, best first. A package without CUDA has only the CPU, whatever the device."""
    wants_gpu = device is not None and device.type == "cuda"
    on_gpu = wants_gpu and "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    return ["CUDAExecutionProvider", "CPUExecutionProvider"] if on_gpu else ["CPUExecutionProvider"]
