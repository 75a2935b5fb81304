"""Capture quality of a face."""
