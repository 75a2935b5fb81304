"""What to remove, move or look at: near-duplicates, faces of others, pictures too poor to learn from."""
