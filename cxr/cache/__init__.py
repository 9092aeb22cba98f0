"""A disk cache of arrays: entries found by content, verified when opened, written by one process at a time, limited in size."""
