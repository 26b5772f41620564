"""What protects a run from its inputs, and its secrets from others: limits, files, trial processes, certificates."""
