"""CompreFace's REST interface over a gallery of ours: what its clients send means what they mean."""
