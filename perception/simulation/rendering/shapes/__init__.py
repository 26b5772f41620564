"""The bodies of a town: cars, lorries, people, props, and what they are made of."""
