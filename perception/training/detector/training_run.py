"""A training of the detector from a configuration to calibrated weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from perception.detection import DetectionSettings, open_detector, read_roadnet, save_roadnet
from perception.detection.roadnet.network import RoadNet
from perception.errors import counted
from perception.training.detector.blending import blend
from perception.training.detector.config import TEACHER_SETTINGS, DetectorTraining, weights_path
from perception.training.detector.distillation import DenseTeacher
from perception.training.detector.embedding_alignment import align_embeddings
from perception.training.detector.score_calibration import calibrate
from perception.training.detector.task import DetectorData, detector_task, load_data, open_dense_teachers
from perception.training.engine.distributed import SINGLE_PROCESS, Processes
from perception.training.engine.reporting import Reporter, report_end, train_and_report
from perception.training.engine.trainer import History

WEIGHTS_NAME = "roadnet.safetensors"


@dataclass(frozen=True)
class PreparedData:
    """Images that the teachers have labelled, the detectors to distil, and the network whose features are kept."""

    images: DetectorData
    dense_teachers: list[DenseTeacher]
    before: tuple[RoadNet, str] | None

    @property
    def description(self) -> str:
        """How many images there are."""
        held_out = sum(len(part) for part in self.images.validation.values())
        return f"{counted(len(self.images.train), 'training image')}, {counted(held_out, 'validation image')}"


def prepare_detector_data(
    config: DetectorTraining, root: Path, *, device: torch.device, reporter: Reporter
) -> PreparedData:
    """Read all that the configuration names; teachers pseudo-label the unlabelled classes. Raises ``UsageError``."""
    before = read_roadnet(weights_path(root, config.keep_features)) if config.keep_features is not None else None
    teachers = [
        open_detector(str(weights_path(root, teacher)), DetectionSettings(**TEACHER_SETTINGS), device=device).detector
        for teacher in config.teachers
    ]
    dense_teachers = open_dense_teachers(config, root)
    with reporter.progress("reading images, teachers label", None) as update:
        images = load_data(
            config, root, teachers, lambda done, total: update(done, f"teachers label {counted(total, 'image')}")
        )
    return PreparedData(images, dense_teachers, before)


def train_detector(
    config: DetectorTraining,
    data: PreparedData,
    root: Path,
    folder: Path,
    *,
    device: torch.device,
    reporter: Reporter,
    processes: Processes = SINGLE_PROCESS,
) -> History:
    """Train, blend with other weights where asked, calibrate the scores, align the features, and write
    ``roadnet.safetensors`` into ``folder``.

    Of several processes the first alone does what follows the training.
    """
    task = detector_task(config, data.images, data.dense_teachers, root, device)
    model, history = train_and_report(
        task,
        config.settings,
        folder=folder,
        device=device,
        reporter=reporter,
        title="RoadNet",
        processes=processes,
    )
    if not processes.is_first:
        return history
    assert isinstance(model, RoadNet)
    if config.blend_with is not None:
        blend(model, weights_path(root, config.blend_with), config.blend_share)
    platt = calibrate(model, data.images.validation, device)
    reporter.message(f"Scores calibrated on the validation sets, slope x logit + shift: {platt}.")
    extras = {}
    if config.trainable == "boxes" and config.start is not None:
        extras["feature_space"] = read_roadnet(weights_path(root, config.start))[1]
    if data.before is not None:
        old, feature_space = data.before
        aligned = align_embeddings(model, old, data.images.train, device)
        extras["feature_space"] = feature_space
        reporter.message(
            f"Embeddings aligned with those of {config.keep_features}: cosine {aligned.cosine:.3f} on "
            f"{counted(aligned.objects, 'object')} of pictures that were not fitted on."
        )
    weights = folder / WEIGHTS_NAME
    save_roadnet(model, weights, extras=extras)
    report_end(history, weights, reporter)
    return history
