"""The folder of one training, its identity, its card and its exported network."""
