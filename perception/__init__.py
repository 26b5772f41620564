"""Cameras in, futures out: find road users in video, keep their identity, predict where they will go."""
