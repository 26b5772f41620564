"""Predictions as other programs write them: which format a file has, readers, writers."""
