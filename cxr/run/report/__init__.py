"""What a run reports: its assessment, pictures, artifacts and report."""
