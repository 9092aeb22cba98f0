"""The results table: presets, or any runs, beside each other with intervals, thresholds, audit and other data."""
