"""Face detectors, one file each; create them by name with `lineament.registry.detectors`."""
