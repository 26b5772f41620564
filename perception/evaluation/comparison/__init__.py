"""Named figures of a report: limits that they must keep, and runs side by side."""
