"""Networks by name, each as a backbone: pictures in, one feature vector a picture out."""

from lineament.training.architectures.backbone import Backbone
from lineament.training.architectures.building import build, names

__all__ = ["Backbone", "build", "names"]
