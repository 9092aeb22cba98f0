"""Sweeps: what will run, what came of each job, and the table at the end."""
