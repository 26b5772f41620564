"""The configuration of a training of the detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from perception.detection.roadnet.network import SIDE_MULTIPLE_PX
from perception.geometry.riders import RiderConvention
from perception.taxonomy import CLASSES
from perception.training.engine.trainer import TrainingSettings
from perception.weights import bundled_weights

Scale = Annotated[float, Field(gt=0, le=100)]
Side = Annotated[int, Field(ge=SIDE_MULTIPLE_PX, multiple_of=SIDE_MULTIPLE_PX)]

TEACHER_SETTINGS: dict[str, Any] = {"confidence": 0.1, "iou": 0.5, "image_size_px": 640}
"""How the teachers detect: their weak detections mark what must not be trained as background."""


OWN_DATA_RECIPE: dict[str, Any] = {
    "start": "roadnet",
    "sizes_px": [[640, 384], [512, 512]],
    "mosaic": 0.2,
    "settings": {
        "steps": 2000,
        "learning_rate": 0.00025,
        "warmup_steps": 50,
        "ema_decay": 0.998,
        "validate_every": 200,
        "save_every": 50,
        "half": False,
    },
}
"""How a data set with classes of its own is learnt where no configuration is given: from the bundled weights."""


class DataSet(BaseModel):
    """One source of images: a ``recording`` with ground truth, a ``coco`` file, ``unlabelled`` video, or the ``split``
    of a data set with classes of its ``own``, whose ``data.yaml`` is the path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["recording", "coco", "unlabelled", "own"]
    path: Path
    split: Literal["train", "val"] = "train"
    stride: int = Field(1, gt=0)
    scale: tuple[Scale, Scale] = (0.5, 2.0)
    weight: float = Field(1.0, gt=0, description="sampling weight of an image, relative to the others'")
    hold_out: float = Field(0.0, ge=0, lt=1, description="share of the images that is kept for validation")
    hold_out_sites: tuple[str, ...] = Field((), description="sites whose images are kept for validation")
    hold_out_last: bool = Field(False, description="the share that is held out is the end of a drive")
    riders: RiderConvention | dict[str, RiderConvention] = Field(
        "separate",
        description="how riders are boxed where a COCO file does not state it: all, or by the beginning of the site",
    )
    near: float = Field(0.0, ge=0, le=1, description="share of an image's crops that truncate a nearby road user")
    paste: float = Field(0.0, ge=0, le=1, description="share of an image's crops into which cutouts are pasted")
    distill: bool | dict[Path, tuple[str, ...]] = Field(
        True, description="the dense teachers that are distilled here, all or none of them, or each with its classes"
    )

    @field_validator("scale")
    @classmethod
    def _rises(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if scale[0] > scale[1]:
            raise ValueError("expected the smaller magnification first")
        return scale


class DetectorTraining(BaseModel):
    """The file behind ``perception train detector --config``; paths are relative to the ``--data`` folder, and
    bundled weights go by their names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: Literal["nano", "small", "base"] = "small"
    classes: tuple[str, ...] = Field(CLASSES, min_length=1, description="names of the network's classes")
    stands_for: tuple[str | None, ...] = Field(
        CLASSES, description="the road user that each class is reported as; null for what is not reported"
    )
    start: Path | None = Field(None, description="weights of a RoadNet of this size to initialise from")
    coco_start: Path | None = Field(
        None,
        description="NanoDet-Plus's weights for COCO to initialise from, ONNX or tensors: m for nano, m-1.5x for small",
    )
    teachers: tuple[Path, ...] = Field((), description="detectors that pseudo-label the unlabelled classes")
    distill: tuple[Path, ...] = Field(
        (),
        description="dense teachers: ONNX with grid points, NanoDet ncnn, RoadNet; the first of a batch's size counts",
    )
    frozen_layers: int = Field(0, ge=0, le=18, description="first N layers of the backbone that stay frozen")
    trainable: Literal["all", "boxes"] = Field(
        "all", description="boxes: only the last layers that give the boxes are trained, all others are frozen"
    )
    self_distillation: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="weight of self-distillation from the initial checkpoint; 0 is off"
    )
    blend_with: Path | None = Field(
        None, description="the result is averaged with these: a file as for coco_start, or weights of a RoadNet"
    )
    blend_share: float = Field(0.5, gt=0, lt=1, description="share of blend_with in the result")
    pseudo_labels: Path | None = Field(
        None, description="predictions of other detectors for images by name, made once; in place of teachers"
    )
    keep_features: Path | None = Field(None, description="RoadNet weights whose embeddings objects are to keep")
    rare_share: float = Field(0.3, ge=0, le=1, description="classes in fewer images are sampled more often; 0 is off")
    train: Annotated[tuple[DataSet, ...], Field(min_length=1)]
    validation: Annotated[tuple[DataSet, ...], Field(min_length=1)]
    cutouts: Path | None = Field(None, description="recordings with masks for the copy-paste augmentation")
    sizes_px: Annotated[tuple[tuple[Side, Side], ...], Field(min_length=1)] = ((448, 256),)
    mosaic: float = Field(0.4, ge=0, le=1)
    dropout: float = Field(0.05, ge=0, lt=1)
    settings: TrainingSettings = TrainingSettings()

    @model_validator(mode="after")
    def _fits_together(self) -> DetectorTraining:
        if self.start is not None and self.coco_start is not None:
            raise ValueError("start and coco_start name what to initialise from; leave one out")
        if self.pseudo_labels is not None and self.teachers:
            raise ValueError("pseudo_labels are predictions that are known already; leave them or the teachers out")
        if self.trainable == "boxes" and (self.start is None or self.keep_features is not None):
            raise ValueError(
                "trainable boxes need initial weights, whose features stay; give start and no keep_features"
            )
        if any(data_set.paste for data_set in self.train) != (self.cutouts is not None):
            raise ValueError("cutouts and the paste of a training set go together; give both or neither")
        for data_set in self.validation:
            if data_set.paste:
                raise ValueError(f"{data_set.path}: nothing is pasted into validation images; leave paste out")
        for data_set in self.train:
            chosen = {} if isinstance(data_set.distill, bool) else data_set.distill
            for path, classes in chosen.items():
                if path not in self.distill:
                    raise ValueError(f"{data_set.path}: distils {path}, which the list 'distill' lacks")
                if unknown := sorted(set(classes) - set(CLASSES)):
                    raise ValueError(f"{data_set.path}: distils {unknown[0]}; known classes are {', '.join(CLASSES)}")
        return self

    @model_validator(mode="after")
    def _classes_fit(self) -> DetectorTraining:
        if len(self.classes) != len(self.stands_for) or any(name not in (*CLASSES, None) for name in self.stands_for):
            raise ValueError(f"stands_for has one of {', '.join(CLASSES)}, or null, for each of the classes")
        others = {data_set.kind for data_set in (*self.train, *self.validation)} - {"own"}
        if self.has_own_classes and (others or self.teachers or self.distill or self.pseudo_labels):
            raise ValueError("teachers, pseudo_labels and other kinds of data do not know classes of one's own")
        if self.has_own_classes and (self.self_distillation or self.blend_with or self.keep_features or self.cutouts):
            raise ValueError("self_distillation, blend_with, keep_features and cutouts need the six road users")
        return self

    @property
    def has_own_classes(self) -> bool:
        """Whether the network's classes are others than ``CLASSES``."""
        return self.classes != CLASSES

    def with_teachers(self, paths: Sequence[Path]) -> DetectorTraining:
        """These detectors are teachers, too: before the listed ones, with labels and, where a data set distils all,
        with their dense outputs. One that is listed already would only agree with itself."""
        more = tuple(path for path in dict.fromkeys(paths) if path not in self.teachers)
        distill = tuple(path for path in more if path not in self.distill)
        return self.model_copy(update={"teachers": (*more, *self.teachers), "distill": (*distill, *self.distill)})


def weights_path(root: Path, path: Path) -> Path:
    """Where the weights lie that a configuration names."""
    return bundled_weights(str(path)) or root / path
