"""Drives of one's own: traffic, pictures of it from every camera of a car, and the truth about both."""
