"""Rows to train, val and test, so that nothing that belongs together is parted."""
