"""Runs as they are measured: loaded from files, predicted by others, merged over recordings, or made on images."""
