"""The trainer of embedders: photos of a person near each other, also of people it never saw."""
