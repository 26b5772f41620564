"""One file for each kind of training data: its configuration, and the batches, loss and validation made of it."""
