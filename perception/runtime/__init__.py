"""Runs an assembled pipeline: watched, written down, measured, ended cleanly."""
