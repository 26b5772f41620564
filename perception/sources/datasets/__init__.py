"""Folders in the layouts of public data sets."""
