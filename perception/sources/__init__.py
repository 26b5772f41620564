"""Sources of images: files, folders, webcams, network streams; one camera or several in step; their ground truth."""

from perception.sources.dataset_formats import read_box_truth, read_objects, read_truth
from perception.sources.registry import open_source
from perception.sources.rigs import bundled_rigs, read_rig
from perception.sources.separate import separate_sources

__all__ = [
    "bundled_rigs",
    "open_source",
    "read_box_truth",
    "read_objects",
    "read_rig",
    "read_truth",
    "separate_sources",
]
