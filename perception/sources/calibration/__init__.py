"""Calibration as it stands in files: checked numbers and matrices."""
