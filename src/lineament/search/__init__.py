"""Vector indexes private to local stores."""
