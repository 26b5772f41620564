"""Gradient descent, once for both networks: the loop, several processes, configuration, curves."""
