"""One run: prepared, started, trained, evaluated, and stored."""
