"""Attribute classifiers, one file each; create them with `lineament.registry.attributes`."""
