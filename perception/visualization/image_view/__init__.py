"""Boxes, identities and futures drawn into a camera's image."""
