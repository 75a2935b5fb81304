"""Whose face it is: the face of a photo that is its subject's, and photos that do not belong."""
