"""Evaluation of a logged run: its predictions with other targets or costs, or its saved model on other data."""
