"""Backbone, freeze depth, losses, optimizers."""
