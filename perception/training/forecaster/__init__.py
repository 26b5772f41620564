"""TrajectoryGRU from tracks to weights: data, losses, pseudo-labels, calibration."""
