"""Detector, tracker, forecaster, source and output of a package that is not perception's."""
