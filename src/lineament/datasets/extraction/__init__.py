"""Photos to face crops."""
