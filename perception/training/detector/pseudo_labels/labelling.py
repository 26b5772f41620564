"""Makes the file of pseudo-labels: asks several detectors about each training image, and keeps what is done."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from perception.detection import DetectionSettings, open_detector
from perception.detection.backends.onnx import OnnxDetector
from perception.detection.backends.torchvision import TorchvisionDetector
from perception.detection.settings import USUAL_IMAGE_SIZE_PX
from perception.errors import UsageError
from perception.files import cannot_write, exists_already, parse_json, sha256, write_text
from perception.protocols import Detector
from perception.taxonomy import CLASSES
from perception.training.detector.dataset import LabelledImage
from perception.training.detector.pseudo_labels.file import parse_line, pseudo_label_line
from perception.training.detector.pseudo_labels.fusion import MIN_IOU, fuse_boxes
from perception.types import Frame

MIN_DETECTION_SCORE = 0.01
"""Weak boxes count, too: their scores are averaged."""

MIN_WRITTEN_SCORE = 0.05
"""Below it the file says nothing; a training takes such places for background anyway."""

_WITH_SIZE = re.compile(r"(.+)@(\d+)")
_DETECTORS_KEY = "detectors"


@dataclass(frozen=True)
class LabellingDetector:
    """A detector, the classes ``known_labels`` (C,) that it can find, and its ``identity``: hashes of files, size."""

    detector: Detector
    known_labels: NDArray[np.bool_]
    identity: str


def open_labelling_detectors(names: Sequence[str], *, device: torch.device) -> list[LabellingDetector]:
    """The detectors that ``names`` stand for, each as ``open_detector`` takes it, or NAME@SIZE for a long side of the
    input in pixels. One file at several sizes is several detectors.

    Raises ``UsageError`` where none is given, one is given twice, or one cannot be opened at that size.
    """
    if not names:
        raise UsageError("name at least one detector whose boxes are to be kept.", field=_DETECTORS_KEY)
    opened = [_open(name, device) for name in names]
    identities = Counter(one.identity for one in opened)
    for name, one in zip(names, opened, strict=True):
        if identities[one.identity] > 1:
            raise UsageError(
                "is given twice, and would only agree with itself; leave one out.", field=_DETECTORS_KEY, value=name
            )
    return opened


class PseudoLabelling:
    """What is to be asked for the file ``path`` about those of ``images`` that are not labelled for every class.

    Each image that is done stands as a line in ``partial_path``, from which the same labelling goes on after a stop.
    Only when all are done ``path`` is written, whole, and the other file removed. ``todo`` are the images that are
    left, ``done_count`` is the number of the others.

    Raises ``UsageError`` where ``path`` exists, two images have one name, or the partial file was begun by other
    detectors or is damaged; ``PerceptionError`` where a file cannot be written.
    """

    def __init__(self, images: Sequence[LabelledImage], detectors: Sequence[LabellingDetector], path: Path) -> None:
        self.path = path
        self.partial_path = path.with_name(f"{path.name}.partial")
        self._detectors = detectors
        self._known_labels = np.stack([one.known_labels for one in detectors])
        self._names = [image.name for image in images if not image.exhaustive.all()]
        if path.exists():
            raise exists_already(path)
        if not self._names:
            raise UsageError("every training image is labelled for every class; no pseudo-labels are needed.")
        name, times = Counter(self._names).most_common(1)[0]
        if times > 1:
            raise UsageError(f"{name}: is the name of {times} training images; give each a name of its own.")
        self._has_header = False
        self._lines = self._read_partial()
        wanted = {*self._names} - self._lines.keys()
        self.todo = [image for image in images if image.name in wanted]
        self.done_count = len(self._names) - len(self.todo)

    def run(self, on_image: Callable[[int], None] = lambda objects: None) -> None:
        """Ask the detectors about all that is left; ``on_image`` is told the number of objects of each image."""
        try:
            self.partial_path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.partial_path, error) from error
        if not self._has_header:
            self._append(json.dumps(self._header))
        for image in self.todo:
            line, objects = self._label(image)
            self._append(line)
            self._lines[image.name] = line
            on_image(objects)
        write_text(self.path, "".join(f"{self._lines[name]}\n" for name in self._names))
        self.partial_path.unlink()

    def _append(self, line: str) -> None:
        """The file is closed after each line: a process that is killed loses only the image that it was at."""
        try:
            with self.partial_path.open("ab") as stream:
                stream.write(f"{line}\n".encode())
        except OSError as error:
            raise cannot_write(self.partial_path, error) from error

    @property
    def _header(self) -> dict[str, object]:
        """What the partial file begins with."""
        return {
            _DETECTORS_KEY: [one.identity for one in self._detectors],
            "settings": [MIN_IOU, MIN_DETECTION_SCORE, MIN_WRITTEN_SCORE],
        }

    def _label(self, image: LabelledImage) -> tuple[str, int]:
        """The image's line, and how many objects it has."""
        frame = Frame(image.image, "image", 0, 0)
        found = [one.detector.detect([frame])[0] for one in self._detectors]
        boxes, scores, labels = fuse_boxes(found, self._known_labels)
        kept = scores >= MIN_WRITTEN_SCORE
        return pseudo_label_line(image.name, boxes[kept], scores[kept], labels[kept]), int(kept.sum())

    def _read_partial(self) -> dict[str, str]:
        """The lines that are done, by image; the end of a line that was cut off is removed from the file."""
        try:
            content = self.partial_path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise UsageError(f"{self.partial_path}: cannot be read ({error.strerror}); remove it.") from error
        whole = content[: content.rfind(b"\n") + 1]
        try:
            first, *lines = whole.decode().splitlines() or [json.dumps(self._header)]
            header = parse_json(first)
            done = {parse_line(line)[0]: line for line in lines}
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{self.partial_path}: is damaged ({error}); remove it to begin again.") from error
        if header != self._header:
            raise UsageError(
                f"{self.partial_path}: was begun with other detectors; give those again, or remove it to begin again."
            )
        self._has_header = bool(whole)
        if len(whole) < len(content):
            with self.partial_path.open("r+b") as stream:
                stream.truncate(len(whole))
        return done


def _open(name: str, device: torch.device) -> LabellingDetector:
    match = None if Path(name).exists() else _WITH_SIZE.fullmatch(name)
    base, size = (name, None) if match is None else (match[1], int(match[2]))
    settings = DetectionSettings(confidence=MIN_DETECTION_SCORE, image_size_px=size)
    opened = open_detector(base, settings, device=device)
    detector = opened.detector
    if size is not None and not _takes(detector, size):
        raise UsageError("runs at a size of its own; leave the size out.", field=_DETECTORS_KEY, value=name)
    known = detector.known_labels if isinstance(detector, OnnxDetector) else np.ones(len(CLASSES), bool)
    used_px = size or USUAL_IMAGE_SIZE_PX
    if isinstance(detector, OnnxDetector):
        used_px = detector.long_side_px or max(detector.input_size_px or (used_px,))
    hashes = " ".join(sha256(path) for path in opened.origin.weights)
    return LabellingDetector(detector, known, f"{hashes or base} at {used_px} pixels")


def _takes(detector: Detector, size_px: int) -> bool:
    """Whether the detector runs at that long side; of a plug-in it is not known, which is told it."""
    if isinstance(detector, TorchvisionDetector):
        return False
    fixed = detector.input_size_px if isinstance(detector, OnnxDetector) else None
    return fixed is None or max(fixed) == size_px
