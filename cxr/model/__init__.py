"""The network: backbone, freeze depth, losses, optimizers, the saved model."""
