"""lineament: from raw photos to recognised people, with numbers one can trust."""

__version__ = "0.1.0.dev0"
