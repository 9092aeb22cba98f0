"""Reading image files: decoded, hashed, and kept in the cache."""
