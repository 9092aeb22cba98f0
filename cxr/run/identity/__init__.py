"""What identifies a run: its attempt, what it logged, what is left of it to make, and why."""
