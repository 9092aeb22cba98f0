"""Answers of a run's model for images without labels: probabilities, class, conformal set and zone, or the reason for none."""
