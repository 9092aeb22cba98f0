"""Numbers, figures and pages: pure functions of predictions, with no TensorFlow."""
