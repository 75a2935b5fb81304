"""One way to run work in parallel: an engine takes batches of items through a stage, here or elsewhere."""
