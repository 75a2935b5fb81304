"""Embedders, one input contract a file; create them by name with `lineament.registry.embedders`."""
