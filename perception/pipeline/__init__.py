"""The one loop from frames to scenes, and what assembles it from a configuration."""
