"""Galleries: enrol, verify, identify, correct and erase people."""
