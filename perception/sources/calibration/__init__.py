"""Calibration from files: checked numbers, cameras, rigs."""
