"""What stands still: the ground with its roads, houses, and what furnishes the streets."""
