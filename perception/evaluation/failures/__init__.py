"""The worst misses and false positives, and recall by what makes objects hard to see."""
