"""Sources of images: files, folders, webcams, network streams; one camera or several in step; their ground truth."""

from perception.sources.opening import open_source
from perception.sources.truth import read_truth

__all__ = ["open_source", "read_truth"]
