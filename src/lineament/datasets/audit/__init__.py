"""The audit: leaks, counts, files, sizes, quality, provenance, and one HTML page that shows them."""
