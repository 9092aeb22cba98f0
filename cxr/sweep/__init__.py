"""Sweeps: the plan, the outcome of each job, and the table at the end."""
