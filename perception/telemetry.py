"""No library that runs here calls its maker: the switches that such libraries read are set before their import."""

from __future__ import annotations

import os

SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime from 1.29 on: an id in the home folder, events to its maker
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "FIFTYONE_DO_NOT_TRACK": "true",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "DO_NOT_TRACK": "1",  # what several libraries have agreed on
}
"""Environment variable -> the value that means no telemetry, of what is used here or may come with a plug-in."""


def switch_off_telemetry() -> None:
    """Set ``SWITCHES`` in the environment of this process, which those that it starts inherit.

    Another value that stands there is replaced: the promise holds for every run. A library that was imported earlier
    has read its switch already.
    """
    os.environ.update(SWITCHES)
