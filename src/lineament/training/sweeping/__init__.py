"""Architectures x methods x augmentations x seeds, and the tables that come of them."""
