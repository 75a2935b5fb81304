"""The trainer of one network with a head an attribute."""
