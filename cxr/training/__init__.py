"""Fitting: TensorFlow's set-up, phases, epochs, cached activations."""
