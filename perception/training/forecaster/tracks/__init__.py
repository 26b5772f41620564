"""Sets of tracks with known futures: tracked recordings, pseudo-labels, simulated traffic."""
