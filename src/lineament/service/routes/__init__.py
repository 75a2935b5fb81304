"""The routes of the service: each parses, calls the library, and renders."""
