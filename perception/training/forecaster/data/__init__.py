"""Tracks to learn from: recordings seen through our own tracker, pseudo-labels, simulated traffic."""
