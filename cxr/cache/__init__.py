"""Arrays kept on disk between runs: found by content, checked when opened, made by one process at a time, bounded in size."""
