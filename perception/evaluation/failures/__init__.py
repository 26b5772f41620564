"""The worst misses and false alarms, and recall by what makes objects hard to see."""
