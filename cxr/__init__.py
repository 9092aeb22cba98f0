"""Configuration-driven experiments on chest X-ray classification by transfer learning."""
