"""The images: sources, decoding, identity, manifest, split, augmentation."""
