"""A logged run evaluated again: its own predictions with other targets or costs, or its saved model on other data."""
