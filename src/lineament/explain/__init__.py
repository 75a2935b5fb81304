"""Seeing inside trained models and inside a match."""
