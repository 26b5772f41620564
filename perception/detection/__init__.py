"""Detectors of road users: RoadNet, torchvision's models, exported ONNX and ncnn networks; their weights."""

from perception.detection.opening import open_detector
from perception.detection.registry import OpenedDetector, Origin
from perception.detection.roadnet.detector import RoadNetDetector
from perception.detection.roadnet.weights import load_roadnet, read_roadnet, save_roadnet
from perception.detection.settings import DetectionSettings

__all__ = [
    "DetectionSettings",
    "OpenedDetector",
    "Origin",
    "RoadNetDetector",
    "load_roadnet",
    "open_detector",
    "read_roadnet",
    "save_roadnet",
]
