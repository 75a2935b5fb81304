"""What a person decided about proposals, and the manifest that follows from it."""
