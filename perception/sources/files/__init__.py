"""Recordings on disk: videos, image series, poses, masks, ground truth."""
