"""Runs against each other and against the baseline, read from what they logged."""
