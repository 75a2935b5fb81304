"""Pure NumPy geometry: boxes, landmarks, alignment, rotation."""
