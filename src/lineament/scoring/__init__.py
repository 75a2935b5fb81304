"""Pure NumPy and SciPy metrics: rates, thresholds, intervals. Definitions stand in docs/terms.md."""
