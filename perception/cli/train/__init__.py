"""``perception train``: detector and forecaster, from a configuration to weights."""

from perception.cli.train.app import app

__all__ = ["app"]
