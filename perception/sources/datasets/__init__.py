"""Readers of the folders of public data sets; ``perception.sources.dataset_formats`` lists them."""
