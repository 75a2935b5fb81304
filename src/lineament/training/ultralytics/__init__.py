"""Detectors that were trained with Ultralytics, read and added under a name."""
