"""The image frame: boxes tracked in each image."""
