"""Cameras and rigs, lens distortion, 3-D boxes, 2-D boxes, rotations."""
