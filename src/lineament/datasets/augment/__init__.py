"""Augmentation: changed copies of training pictures whose boxes and landmarks follow exactly.

A `Pipeline` is made of steps (`geometric`, `photometric`, `inside`); `materialise` writes copies to disk.
"""
