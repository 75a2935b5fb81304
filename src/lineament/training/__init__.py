"""From a manifest to a trained model: one readable loop, one file a trainer, ONNX and a card at the end."""
