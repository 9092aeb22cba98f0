"""The profile of a set of images before a training: what is in it, and what predicts its classes without any lung."""
