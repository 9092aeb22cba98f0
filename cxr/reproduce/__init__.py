"""Reproduction of a logged run: what differs today, and whether the results are the same."""
