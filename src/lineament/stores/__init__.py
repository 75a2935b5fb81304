"""Stores of embeddings, one file an engine; open them by URL."""
