"""Doing a logged run again: what was logged, what differs today, and whether the results are the same."""
