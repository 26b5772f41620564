"""RoadNet from images to weights: data, augmentation, losses, distillation, calibration."""
