"""Evaluation: numbers, figures and the report, as pure functions of predictions, without TensorFlow."""
