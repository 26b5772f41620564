"""Ground truth in files: boxes, regions to ignore, and how what a file states is held against its images."""
