"""Many recordings: where they run, which of them, what is kept of each."""
