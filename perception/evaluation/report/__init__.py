"""The report: computed from a run, printed as tables."""
