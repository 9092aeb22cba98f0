"""The config: its schema, how Hydra composes it, whether it makes sense, and where it came from."""
