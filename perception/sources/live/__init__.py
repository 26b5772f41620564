"""Webcams and network streams: always the newest frame."""
