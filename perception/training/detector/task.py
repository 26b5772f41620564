"""``perception train detector``: RoadNet from images to weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from perception.arrays import FloatArray
from perception.detection.letterbox import letterbox
from perception.detection.roadnet.detector import RoadNetDetector
from perception.detection.roadnet.engines import RoadNetEngine, RoadNetOnnxEngine, RoadNetTorchEngine
from perception.detection.roadnet.nanodet_weights import load_nanodet, read_nanodet
from perception.detection.roadnet.network import SIZES, RoadNet, to_input
from perception.detection.roadnet.onnx_export import roadnet_graph
from perception.detection.roadnet.weights import read_roadnet
from perception.detection.settings import DetectionSettings
from perception.errors import UsageError
from perception.evaluation.core.run_tables import join_tables
from perception.evaluation.core.table_boxes import Grouping
from perception.evaluation.detection.average_precision import evaluate_detection
from perception.protocols import Detector
from perception.taxonomy import CLASSES
from perception.training.detector.augmentation import Batch, View, collate, make_batch
from perception.training.detector.config import DataSet, DetectorTraining, weights_path
from perception.training.detector.copy_paste import Cutouts, read_cutouts
from perception.training.detector.dataset import (
    LabelledImage,
    as_road_users,
    matching_paths,
    read_coco,
    read_recording,
    read_unlabelled,
    split_off,
)
from perception.training.detector.distillation import DenseTeacher, complete_labels, open_dense_teacher, teacher_outputs
from perception.training.detector.loss import detection_loss
from perception.training.detector.own_data import read_own_data
from perception.training.detector.pseudo_labels import complete_from_file, read_pseudo_labels
from perception.training.engine.trainer import Task, Validation
from perception.types import BoxTable, Frame


@dataclass(frozen=True)
class DetectorData:
    """Images to learn from, what is pasted into them, and per validation set those to choose by."""

    train: list[LabelledImage]
    validation: dict[str, list[LabelledImage]]
    cutouts: Cutouts | None = None


def load_data(
    config: DetectorTraining,
    root: Path,
    teachers: Sequence[Detector],
    on_image: Callable[[int, int], None] = lambda done, total: None,
) -> DetectorData:
    """Read all images; ``on_image(done, total)`` reports the teachers' labelling, which takes the longest."""
    cutouts = None
    if config.cutouts is not None:
        paths = matching_paths(root, config.cutouts)
        cutouts = Cutouts([cutout for path in paths for cutout in read_cutouts(path)])
    train, validation = read_training_images(config, root)
    for data_set in config.validation:
        validation[_name_of(data_set)] = _read(data_set, root, config.distill, config.classes)
    labelled = []
    if config.pseudo_labels is not None:
        completing = complete_from_file(train, read_pseudo_labels(root / config.pseudo_labels))
    else:
        completing = complete_labels(train, teachers)
    for done, image in enumerate(completing, start=1):
        labelled.append(image)
        on_image(done, len(train))
    return DetectorData(labelled, validation, cutouts)


def read_training_images(
    config: DetectorTraining, root: Path
) -> tuple[list[LabelledImage], dict[str, list[LabelledImage]]]:
    """The images to learn from, with what people labelled, and what is held out of each data set for validation."""
    train: list[LabelledImage] = []
    held_out: dict[str, list[LabelledImage]] = {}
    for data_set in config.train:
        images = _read(data_set, root, config.distill, config.classes)
        if data_set.hold_out or data_set.hold_out_sites:
            images, held_out[f"{data_set.path.as_posix()} (held out)"] = split_off(
                images, data_set.hold_out, sites=data_set.hold_out_sites, last=data_set.hold_out_last
            )
        train.extend(images)
    return train, held_out


def _name_of(data_set: DataSet) -> str:
    return f"{data_set.path.name} {data_set.split}" if data_set.kind == "own" else data_set.path.as_posix()


def _read(
    data_set: DataSet, root: Path, dense_teachers: Sequence[Path], classes: tuple[str, ...]
) -> list[LabelledImage]:
    """The images of one source; a path with * stands for all recordings that it matches."""
    if data_set.kind == "own":
        own = read_own_data(root / data_set.path)
        if own.classes.names != classes:
            raise UsageError(f"{root / data_set.path}: names other classes than the training; start a new one.")
        return own.images(data_set.split, scale=data_set.scale, weight=data_set.weight)
    if data_set.kind == "coco":
        images = read_coco(root / data_set.path, scale=data_set.scale, weight=data_set.weight, riders=data_set.riders)
    else:
        read = read_recording if data_set.kind == "recording" else read_unlabelled
        images = [
            image
            for path in matching_paths(root, data_set.path)
            for image in read(path, stride=data_set.stride, scale=data_set.scale, weight=data_set.weight)
        ]
    distill = _distilled_classes(data_set.distill, dense_teachers)
    return [replace(image, distill=distill, paste=data_set.paste, near=data_set.near) for image in images]


def _distilled_classes(chosen: bool | dict[Path, tuple[str, ...]], dense_teachers: Sequence[Path]) -> NDArray[np.bool_]:
    """(T, C): which of the dense teachers count for which class."""
    if isinstance(chosen, bool):
        return np.full((len(dense_teachers), len(CLASSES)), chosen)
    return np.array([np.isin(CLASSES, chosen.get(path, ())) for path in dense_teachers], bool).reshape(-1, len(CLASSES))


def open_dense_teachers(config: DetectorTraining, root: Path) -> list[DenseTeacher]:
    """Raises ``UsageError`` as ``open_dense_teacher`` does: call it before anything takes long."""
    return [open_dense_teacher(weights_path(root, path)) for path in config.distill]


def detector_task(
    config: DetectorTraining,
    data: DetectorData,
    dense_teachers: Sequence[DenseTeacher],
    root: Path,
    device: torch.device,
) -> Task[Batch]:
    """What ``loop.train`` needs."""
    torch.manual_seed(config.settings.seed)
    model = _first_model(config, root)
    start = _InitialOutputs(model, device) if config.self_distillation else None
    freeze_layers(model, config)
    # Also on a processor: a step of 8 images takes 0.7 to 0.85 of the time.
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights = sampling_weights(data.train, config.rare_share)

    def sample_batch(step: int) -> Batch:
        batch = make_batch(
            data.train,
            weights / weights.sum(),
            np.random.default_rng([config.settings.seed, step]),
            batch_size=config.settings.batch_size,
            sizes_px=config.sizes_px,
            mosaic=config.mosaic,
            cutouts=data.cutouts,
        )
        if start is not None:
            batch = replace(batch, initial_scores=start(batch.images))
        outputs = teacher_outputs(dense_teachers, batch.images.numpy(), batch.distill.numpy())
        if outputs is None:
            return batch
        scores, boxes, teacher_mask = (torch.from_numpy(array) for array in outputs)
        return replace(batch, teacher_scores=scores, teacher_boxes=boxes, teacher_mask=teacher_mask)

    def compute_loss(network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        batch = batch.to(device)
        loss = detection_loss(network(to_input(batch.images)), batch, self_distillation_weight=config.self_distillation)
        return loss._asdict()

    def validate(network: nn.Module) -> Validation:
        assert isinstance(network, RoadNet)
        return validate_detector(network, data.validation, device)

    return Task(model, sample_batch, compute_loss, validate)


def _first_model(config: DetectorTraining, root: Path) -> RoadNet:
    """The network as it is before the training. Raises ``UsageError`` where the weights named do not fit."""
    size = replace(SIZES[config.size], dropout=config.dropout, classes=config.classes, stands_for=config.stands_for)
    model = RoadNet(size)
    if config.start is not None:
        started = read_roadnet(weights_path(root, config.start))[0]
        found = replace(started.config, dropout=size.dropout, classes=size.classes, stands_for=size.stands_for)
        if found != size:
            raise UsageError(f"{config.start}: is not of size {config.size}; give weights of this size.")
        load_other_classes(model, started)
    if config.coco_start is not None:
        if config.has_own_classes:
            raise UsageError("holds COCO's classes, not your own; leave it out.", field="coco_start")
        try:
            load_nanodet(model, read_nanodet(root / config.coco_start))
        except ValueError as error:
            raise UsageError(f"{root / config.coco_start}: does not fit size {config.size} ({error}).") from error
    return model


@torch.no_grad()
def load_other_classes(model: RoadNet, started: RoadNet) -> None:
    """The weights of ``started``, also where ``model`` finds other classes: a class starts from the one of the same
    name, or else of the same road user; one without keeps its random weights."""
    state = started.state_dict()
    if model.config.classes != started.config.classes:
        wanted = zip(model.config.classes, model.config.stands_for, strict=True)
        sources = [_row_like(started, name, ours) for name, ours in wanted]
        rows = [row for row, source in enumerate(sources) if source is not None]
        taken = [source for source in sources if source is not None]
        for name, value in model.state_dict().items():
            if ".classes." in name:
                value[rows] = state[name][taken]
                state[name] = value
    model.load_state_dict(state)


def _row_like(started: RoadNet, name: str, road_user: str | None) -> int | None:
    classes = started.config.classes
    if name in classes:
        return classes.index(name)
    stands_for = started.config.stands_for
    return None if road_user is None or road_user not in stands_for else stands_for.index(road_user)


class _InitialOutputs:
    """The initial checkpoint's scores (B, A, C) for images (B, H, W, 3) uint8."""

    def __init__(self, model: RoadNet, device: torch.device) -> None:
        model = copy.deepcopy(model)
        self._engine: RoadNetEngine
        if device.type == "cpu":
            self._engine = RoadNetOnnxEngine(roadnet_graph(model, feature_space="initial"))
        else:
            self._engine = RoadNetTorchEngine(model, device=device)

    def __call__(self, images: Tensor) -> Tensor:
        return self._engine(images.numpy()).scores.float().cpu()


def freeze_layers(model: RoadNet, config: DetectorTraining) -> None:
    """Freeze all that is to stay as it is."""
    layers = chain(model.stem.children(), *(stage.children() for stage in model.stages))
    for layer in islice(layers, config.frozen_layers):
        layer.requires_grad_(False)
    if config.trainable == "boxes":
        model.requires_grad_(False)
        for head in model.heads:
            head.ltrb.requires_grad_(True)


def sampling_weights(images: Sequence[LabelledImage], rare_share: float) -> FloatArray:
    """(n,): an image counts by its own weight, and more when it shows a class that few images show.

    The repeat factor of LVIS (Gupta et al. 2019): the root of ``rare_share`` over the class's share of the images.
    """
    shows = np.array([np.isin(np.arange(len(image.exhaustive)), image.labels) for image in images])
    share = np.maximum(shows.mean(axis=0), 1e-6)
    factors = np.maximum(1.0, np.sqrt(rare_share / share))
    repeat = np.where(shows, factors, 1.0).max(axis=1)
    weights: FloatArray = np.array([image.weight for image in images]) * repeat
    return weights


def validate_detector(
    model: RoadNet, sets: dict[str, list[LabelledImage]], device: torch.device, *, image_size_px: int = 512
) -> Validation:
    """Loss, and AP50 with vehicles as one class, on each validation set; the score is their mean.

    A network with classes of its own is chosen by the mean over the road users that they stand for.
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
            image=box.images[0],
            boxes_xyxy=image.boxes_xyxy_px * scale,
            labels=image.labels,
            object_ids=image.object_ids,
            ignore_xyxy=image.ignore_xyxy_px * scale,
            ignore_labels=image.ignore_labels,
            exhaustive=image.exhaustive,
            distill=image.distill,
        )
        batch = collate([view], 448, 448).to(device)
        losses.append(float(detection_loss(model(to_input(batch.images)), batch).total))
    return losses


def average_precision(
    model: RoadNet, images: Sequence[LabelledImage], device: torch.device, *, image_size_px: int
) -> float:
    """AP50 in 0..1: of vehicles as one class, or the mean over the road users that own classes stand for."""
    detector = RoadNetDetector(
        RoadNetTorchEngine(copy.deepcopy(model), device=device),
        DetectionSettings(confidence=0.02, image_size_px=image_size_px),
        name="validation",
        feature_space="validation",
    )
    truth, found, exhaustive = [], [], {}
    grouping: Grouping = "vehicles" if model.config.classes == CLASSES else "each"
    for index, image in enumerate(as_road_users(image, model.config.stands_for) for image in images):
        detections = detector.detect([Frame(image.image, "validation", 0, index)])[0]
        truth.append(_table(index, image.boxes_xyxy_px, image.labels, np.ones(len(image.labels))))
        found.append(_table(index, detections.boxes_xyxy_px, detections.labels, detections.scores))
        exhaustive["validation", index] = np.flatnonzero(image.exhaustive).tolist()
    report = evaluate_detection(
        truth=join_tables(truth), detections=join_tables(found), grouping=grouping, exhaustive_labels=exhaustive
    )
    return report.overall.ap50 or 0.0


def _table(index: int, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> BoxTable:
    count = len(labels)
    return BoxTable(
        frame_indices=np.full(count, index),
        ids=np.arange(count),
        labels=labels,
        scores=np.asarray(scores, float),
        boxes_xyxy_px=boxes,
        cameras=np.full(count, "validation"),
    )
