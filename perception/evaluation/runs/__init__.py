"""Runs as they are measured: loaded from files, merged over recordings, or made on single images."""
