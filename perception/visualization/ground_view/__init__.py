"""The world from above, and ground positions drawn into camera images."""
