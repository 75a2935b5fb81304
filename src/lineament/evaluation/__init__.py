"""Evaluation protocols on folders of pictures."""
