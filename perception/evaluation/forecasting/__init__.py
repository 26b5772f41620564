"""Displacement errors of forecasts, in the image and on the ground, with baselines."""
