"""Labels that other detectors give to training images: their boxes fused, kept in a file, read by a training."""

from perception.training.detector.pseudo_labels.file import complete_from_file, read_pseudo_labels
from perception.training.detector.pseudo_labels.fusion import FusedBoxes, fuse_boxes
from perception.training.detector.pseudo_labels.labelling import (
    LabellingDetector,
    PseudoLabelling,
    open_labelling_detectors,
)

__all__ = [
    "FusedBoxes",
    "LabellingDetector",
    "PseudoLabelling",
    "complete_from_file",
    "fuse_boxes",
    "open_labelling_detectors",
    "read_pseudo_labels",
]
