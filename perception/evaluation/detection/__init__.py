"""Average precision, and which detection is which true box."""
