"""Trainers of detectors and of the localizer: pictures with boxes in, a network that finds faces out."""
