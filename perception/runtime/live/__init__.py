"""What is measured of a live run while it goes on, and how others read it."""
