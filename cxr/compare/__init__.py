"""Comparison of runs with each other and with the baseline, from their logged files."""
