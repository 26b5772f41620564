"""Weights by gradient descent: data, losses, one loop for both networks."""
