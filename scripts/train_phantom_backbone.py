"""Trains the small backbone that ships with cxr: .venv/bin/python scripts/train_phantom_backbone.py (about 20 minutes on 4 cores).

The pretext task: on phantoms of other seeds and with no finding, tell which plain mark was laid over the chest (disc, ring,
square, wire, dots, or none) and estimate the patient's anatomy and the exposure. It never sees the findings that
`data=phantom` asks about. Prints the accuracy on held-out phantoms and writes cxr/model/phantom_backbone.weights.h5.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor

import keras
import numpy as np
from numpy.typing import NDArray

from cxr.anatomy.phantom import Anatomy, draw_chest, expose
from cxr.config.schema import TrainingConfig
from cxr.model.weights import PHANTOM_WEIGHTS
from cxr.system import prepare_memory
from cxr.training.runtime import prepare_tensorflow

SIZE, ALPHA, BATCH = 96, 0.35, 32
MARKS = ("none", "disc", "ring", "square", "wire", "dots")
MEASURES = (
    "heart_radius",
    "lung_width",
    "diaphragm",
    "rib_spacing",
    "rib_strength",
    "vessel_strength",
    "exposure",
    "noise",
    "blur",
)
SEED = 20_000  # far from any data.phantom.seed that a person would choose


def draw_marked(number: int) -> tuple[NDArray[np.uint8], int, list[float]]:
    """One phantom: image (SIZE, SIZE) uint8, index into MARKS, the MEASURES of its anatomy."""
    rng = np.random.Generator(np.random.PCG64([SEED, number]))
    anatomy = Anatomy.of_patient(rng)
    chest = draw_chest(anatomy, SIZE, rng)
    mark = int(rng.integers(len(MARKS)))
    x, y = chest.x - rng.uniform(-0.7, 0.7), chest.y - rng.uniform(-0.6, 0.6)
    turn = rng.uniform(0, np.pi)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    radius, size = np.hypot(x, y), rng.uniform(0.08, 0.2)
    shapes = {
        "none": np.zeros_like(x),
        "disc": radius < size,
        "ring": np.abs(radius - size) < 0.035,
        "square": np.maximum(np.abs(along), np.abs(across)) < size,
        "wire": (np.abs(across) < 0.02) & (np.abs(along) < 3 * size),
        "dots": (np.cos(along * 40) * np.cos(across * 40) > 0.4) & (radius < 1.5 * size),
    }
    brightness = chest.brightness + rng.uniform(0.1, 0.3) * rng.choice([-1, 1]) * shapes[MARKS[mark]]
    return expose(brightness.astype(np.float32), anatomy, rng), mark, [getattr(anatomy, name) for name in MEASURES]


def draw_all(count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32]]:
    """Images (count, SIZE, SIZE, 1), marks (count,), measures (count, len(MEASURES)) with zero mean and unit spread."""
    with ProcessPoolExecutor() as pool:
        images, marks, measures = zip(*pool.map(draw_marked, range(count), chunksize=100), strict=True)
    values = np.asarray(measures, np.float32)
    return np.stack(images)[..., None], np.asarray(marks), (values - values.mean(0)) / values.std(0)


def pretext_model() -> tuple[keras.Model, keras.Model]:
    """The backbone alone, and the whole model of the pretext task on top of it."""
    images = keras.Input((SIZE, SIZE, 1))
    backbone = keras.applications.MobileNetV2(input_shape=(SIZE, SIZE, 3), alpha=ALPHA, include_top=False, weights=None)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.95  # 0.999 would need far more steps than this short training has
    scaled = keras.layers.Rescaling(2 / 255, offset=-1)(keras.layers.Concatenate()([images] * 3))
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(scaled))
    outputs = {
        "mark": keras.layers.Dense(len(MARKS), name="mark")(pooled),
        "measures": keras.layers.Dense(len(MEASURES), name="measures")(pooled),
    }
    return backbone, keras.Model(images, outputs)


def main() -> None:
    """Draw, train, report, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=11_000, help="phantoms to draw; an eleventh is held out")
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    prepare_memory()
    prepare_tensorflow(TrainingConfig(seed=SEED, deterministic=True))
    images, marks, measures = draw_all(arguments.count)
    held_out = arguments.count // 11
    train, test = slice(held_out, None), slice(held_out)
    backbone, model = pretext_model()
    steps = arguments.epochs * ((arguments.count - held_out) // BATCH)
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        loss={"mark": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "measures": "mse"},
        metrics={"mark": "accuracy"},
        jit_compile=False,
    )

    def answers(rows: slice) -> dict[str, NDArray[np.generic]]:
        return {"mark": marks[rows], "measures": measures[rows]}

    model.fit(
        images[train],
        answers(train),
        validation_data=(images[test], answers(test)),
        batch_size=BATCH,
        epochs=arguments.epochs,
        verbose=2,
    )
    backbone.save_weights(PHANTOM_WEIGHTS)
    print(f"wrote {PHANTOM_WEIGHTS.name}")


if __name__ == "__main__":
    main()
