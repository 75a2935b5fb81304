"""The trainer of classifiers: which of N people, or which value of a label, a crop shows."""
