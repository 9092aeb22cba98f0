"""A backbone of four convolutions in a file, for runs of which the network doesn't matter: it is built and traced in no time."""

from pathlib import Path

import pytest

SIZE = 32


@pytest.fixture(scope="session")
def small_backbone(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Overrides that choose it."""
    return saved_backbone(tmp_path_factory.mktemp("backbone") / "small.keras")


def saved_backbone(file: Path) -> tuple[str, ...]:
    """Four blocks of two stages, a convolution and a normalisation each, saved as a file; returns overrides that choose it."""
    import keras  # takes seconds, and tests that train nothing do without
    from keras import layers

    keras.utils.set_random_seed(3)
    images = keras.Input((SIZE, SIZE, 3))
    maps = layers.Rescaling(1 / 127.5, offset=-1)(images)
    for filters, strides in ((4, 2), (6, 2), (8, 2), (8, 1)):
        maps = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(maps)
        maps = layers.ReLU()(layers.BatchNormalization()(maps))
    keras.Model(images, maps).save(file)
    return ("backbone=keras_file", f"backbone.file={file}", f"backbone.image_size={SIZE}")
