"""A Hydra launcher that runs the jobs of a sweep on a SLURM cluster."""
