"""The plain Keras loop that `scripts/bench` compares with cxr: a typical script for this task.

tf.data reads and decodes each PNG in each epoch, Keras' preprocessing layers move it, a frozen MobileNetV2 is nested in the
model, and `fit` trains. Nothing is tuned, and nothing is made slow: parallel decoding and prefetching are on.
"""

import argparse
import json
import os
import time
from pathlib import Path


def main() -> None:
    """Train once and write what it took as JSON to standard output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--manifest", type=Path, required=True, help="CSV with path, label and split, as cxr logs it")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--input-low", type=float, default=0.0, help="lowest value that the backbone is fed; the highest is 1")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--augment", action="store_true")
    parser.add_argument("--warmup-epochs", type=int, default=0, help="epochs of the head alone before --trainable-from joins in")
    parser.add_argument("--trainable-from", help="first layer of the backbone that trains")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import numpy as np
    import pandas as pd
    import tensorflow as tf

    imported = time.perf_counter()
    keras.utils.set_random_seed(args.seed)
    rows = pd.read_csv(args.manifest)
    classes = sorted(rows["label"].unique())
    size = args.image_size

    def dataset(part: str, shuffle: bool) -> tf.data.Dataset:
        chosen = rows[rows["split"] == part]
        paths = [str(args.root / path) for path in chosen["path"]]
        labels = keras.utils.to_categorical([classes.index(label) for label in chosen["label"]], len(classes))
        images = tf.data.Dataset.from_tensor_slices((paths, labels))
        if shuffle:
            images = images.shuffle(len(paths), seed=args.seed)

        def load(path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            image = tf.io.decode_png(tf.io.read_file(path), channels=3)
            return tf.image.resize(image, (size, size)) / 255.0, label

        return images.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(32).prefetch(tf.data.AUTOTUNE)

    moved = keras.Sequential(
        [keras.layers.RandomRotation(0.05), keras.layers.RandomTranslation(0.05, 0.05), keras.layers.RandomZoom(0.05)]
    )
    backbone = keras.applications.MobileNetV2(
        input_shape=(size, size, 3), alpha=args.alpha, include_top=False, weights=args.weights
    )
    backbone.trainable = False
    images = keras.Input((size, size, 3))
    seen = moved(images) if args.augment else images
    seen = keras.layers.Rescaling(1 - args.input_low, offset=args.input_low)(seen)
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(seen, training=False))
    outputs = keras.layers.Dense(len(classes), activation="softmax")(keras.layers.Dropout(0.2)(pooled))
    model = keras.Model(images, outputs)
    train, val = dataset("train", True), dataset("val", False)

    def fit(epochs: int) -> None:
        model.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy", metrics=["accuracy"])
        model.fit(train, validation_data=val, epochs=epochs, verbose=0)

    if args.warmup_epochs:
        fit(args.warmup_epochs)
    if args.trainable_from:
        names = [layer.name for layer in backbone.layers]
        backbone.trainable = True
        for place, layer in enumerate(backbone.layers):
            layer.trainable = place >= names.index(args.trainable_from) and "BatchNorm" not in type(layer).__name__
    fit(args.epochs)
    probabilities = model.predict(val, verbose=0)
    truth = np.array([classes.index(label) for label in rows[rows["split"] == "val"]["label"]])
    accuracy = float((probabilities.argmax(axis=1) == truth).mean())
    print(json.dumps({"accuracy": accuracy, "work": time.perf_counter() - imported}))


if __name__ == "__main__":
    main()
