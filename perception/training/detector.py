"""``perception train detector``: RoadNet from images to weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from perception.detection.letterbox import letterbox
from perception.detection.roadnet import RoadNet, RoadNetConfig, to_input
from perception.detection.roadnet_detector import RoadNetDetector
from perception.detection.settings import DetectionSettings
from perception.evaluation.detection import evaluate_detection
from perception.training.augmentation import Batch, _collate, View, make_batch
from perception.training.detection_data import (
    LabelledImage,
    read_coco,
    read_recording,
    read_unlabelled,
    split_off,
)
from perception.training.detection_loss import detection_loss
from perception.training.loop import Task, TrainingSettings, Validation
from perception.training.teachers import complete_labels
from perception.types import CLASSES, BoxTable, Detector, Frame


class DataSet(BaseModel):
    """One source of images: a ``recording`` with ground truth, a ``coco`` file, or ``unlabelled`` video."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["recording", "coco", "unlabelled"]
    path: Path
    stride: int = Field(1, gt=0)
    zoom: tuple[float, float] = (0.5, 2.0)
    weight: float = Field(1.0, gt=0, description="how often an image is drawn, beside the others'")
    hold_out: float = Field(0.0, ge=0, lt=1, description="share of the images that is kept for validation")


class DetectorTraining(BaseModel):
    """The file behind ``perception train detector --config``; paths are relative to the ``--data`` folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: Path | None = Field(None, description="ImageNet weights of torchvision's mobilenet_v2 to start from")
    teachers: tuple[Path, ...] = Field((), description="detectors that label what people did not")
    train: tuple[DataSet, ...]
    validation: tuple[DataSet, ...]
    sizes_px: tuple[tuple[int, int], ...] = ((448, 256),)
    mosaic: float = Field(0.4, ge=0, le=1)
    dropout: float = Field(0.05, ge=0, lt=1)
    settings: TrainingSettings = TrainingSettings()


@dataclass(frozen=True)
class DetectorData:
    train: list[LabelledImage]
    validation: dict[str, list[LabelledImage]]


def load_data(
    config: DetectorTraining,
    root: Path,
    teachers: Sequence[Detector],
    on_image: Callable[[int, int], None] = lambda done, total: None,
) -> DetectorData:
    """Read all images; ``on_image(done, total)`` reports the teachers' labelling, which takes the longest."""
    train: list[LabelledImage] = []
    validation: dict[str, list[LabelledImage]] = {}
    for data_set in config.train:
        images = _read(data_set, root)
        if data_set.hold_out:
            images, held_out = split_off(images, data_set.hold_out)
            validation[f"{data_set.path.as_posix()} (held out)"] = held_out
        train.extend(images)
    for data_set in config.validation:
        validation[data_set.path.as_posix()] = _read(data_set, root)
    labelled = []
    for done, image in enumerate(complete_labels(train, teachers), start=1):
        labelled.append(image)
        on_image(done, len(train))
    return DetectorData(labelled, validation)


def _read(data_set: DataSet, root: Path) -> list[LabelledImage]:
    path = root / data_set.path
    if data_set.kind == "coco":
        return read_coco(path, zoom=data_set.zoom, weight=data_set.weight)
    read = read_recording if data_set.kind == "recording" else read_unlabelled
    return read(path, stride=data_set.stride, zoom=data_set.zoom, weight=data_set.weight)


def detector_task(config: DetectorTraining, data: DetectorData, root: Path, device: torch.device) -> Task[Batch]:
    """What ``loop.train`` needs."""
    torch.manual_seed(config.settings.seed)
    model = RoadNet(RoadNetConfig(dropout=config.dropout))
    if config.backbone is not None:
        model.load_backbone(torch.load(root / config.backbone, map_location="cpu", weights_only=True))
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights = np.array([image.weight for image in data.train])

    def draw_batch(step: int) -> Batch:
        return make_batch(
            data.train,
            weights / weights.sum(),
            np.random.default_rng([config.settings.seed, step]),
            batch_size=config.settings.batch_size,
            sizes_px=config.sizes_px,
            mosaic=config.mosaic,
        )

    def loss_of(network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        batch = batch.to(device)
        loss = detection_loss(network(to_input(batch.images)), batch)
        return loss._asdict()

    def validate(network: nn.Module) -> Validation:
        assert isinstance(network, RoadNet)
        return validate_detector(network, data.validation, device)

    return Task(model, draw_batch, loss_of, validate)


def validate_detector(
    model: RoadNet, sets: dict[str, list[LabelledImage]], device: torch.device, *, image_size_px: int = 512
) -> Validation:
    """Loss, and AP50 with vehicles as one class, on each validation set; the score is their mean.

    Several cameras count alike: a single one would choose weights that know only that one.
    """
    losses, figures = [], {}
    for name, images in sets.items():
        losses.extend(_validation_losses(model, images, device))
        figures[f"AP50 {name}"] = average_precision(model, images, device, image_size_px=image_size_px)
    return Validation(float(np.mean(losses)), float(np.mean(list(figures.values()))), figures)


@torch.inference_mode()
def _validation_losses(model: RoadNet, images: Sequence[LabelledImage], device: torch.device) -> list[float]:
    losses = []
    for image in images[:: max(1, len(images) // 24)]:
        box = letterbox([image.image], width=448, height=448)
        scale = np.float32(box.scales[0])
        view = View(
            box.images[0],
            image.boxes_xyxy_px * scale,
            image.labels,
            image.object_ids,
            image.ignore_xyxy_px * scale,
            image.ignore_labels,
            image.exhaustive,
        )
        batch = _collate([view], 448, 448).to(device)
        losses.append(float(detection_loss(model(to_input(batch.images)), batch).total))
    return losses


def average_precision(
    model: RoadNet, images: Sequence[LabelledImage], device: torch.device, *, image_size_px: int
) -> float:
    """AP50 of vehicles as one class, 0..1."""
    import copy

    detector = RoadNetDetector(
        copy.deepcopy(model),
        DetectionSettings(confidence=0.02, image_size_px=image_size_px),
        name="validation",
        feature_space="validation",
        device=device,
    )
    truth, found, exhaustive = [], [], {}
    for index, image in enumerate(images):
        detections = detector.detect([Frame(image.image, "validation", 0, index)])[0]
        truth.append(_table(index, image.boxes_xyxy_px, image.labels, np.ones(len(image.labels))))
        found.append(_table(index, detections.boxes_xyxy_px, detections.labels, detections.scores))
        exhaustive["validation", index] = np.flatnonzero(image.exhaustive).tolist()
    report = evaluate_detection(
        truth=_concatenate(truth), detections=_concatenate(found), classes="vehicle", exhaustive_labels=exhaustive
    )
    return report.overall.ap50 or 0.0


def _table(index: int, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> BoxTable:
    count = len(labels)
    return BoxTable(
        np.full(count, index), np.arange(count), labels, np.asarray(scores, float), boxes, np.full(count, "validation")
    )


def _concatenate(tables: Sequence[BoxTable]) -> BoxTable:
    return BoxTable(*(np.concatenate([getattr(t, n) for t in tables]) for n in BoxTable.__dataclass_fields__))
