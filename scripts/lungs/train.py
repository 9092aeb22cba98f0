"""Trains the network that finds lungs, and writes it for OpenVINO, with its Dice by source."""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
import openvino
import pandas as pd
from augment import view
from keras import ops
from network import lung_network
from numpy.typing import NDArray
from PIL import Image

from cxr.anatomy.lung_network import SIDE
from cxr.anatomy.lung_shape import two_largest

BATCH, LEARNING_RATE, SEED = 8, 3e-3, 0
PACKAGE = Path(__file__).resolve().parents[2] / "cxr/anatomy"
Pair = tuple[Image.Image, Image.Image]  # an image and its mask


def main() -> None:
    """Train on the part `train`, and score the part `val` once, at the end."""
    parser = argparse.ArgumentParser(description="Train the network that finds lungs.")
    parser.add_argument("table", type=Path, help="columns path, mask, source, part (train, val); paths are relative to its folder")
    parser.add_argument("--to", type=Path, default=PACKAGE, help="where lungs.xml, lungs.bin and lungs.json go")
    parser.add_argument("--epochs", type=int, default=75)
    args = parser.parse_args()
    table = read_table(args.table, parser.error)
    started = time.monotonic()
    keras.utils.set_random_seed(SEED)
    network = lung_network()
    views = Views([_pair(args.table.parent, row) for row in table[table["part"] == "train"].itertuples()], weights_of(table))
    fit(network, views, args.epochs)
    dice = scores(network, args.table.parent, table[table["part"] == "val"])
    write(network, args.to)
    card = {"parameters": network.count_params(), "epochs": args.epochs, "seconds": round(time.monotonic() - started), "dice": dice}
    (args.to / "lungs.json").write_text(json.dumps(card, indent=1) + "\n")
    print(json.dumps(card, indent=1))


def read_table(file: Path, refuse: Callable[[str], NoReturn]) -> pd.DataFrame:
    """The table of images and masks; what is wrong with it goes to `refuse`."""
    try:
        table = pd.read_csv(file)
    except (OSError, ValueError) as error:
        refuse(f"{file} can't be read as a table: {error}")
    if missing := [name for name in ("path", "mask", "source", "part") if name not in table]:
        refuse(f"{file} has no column {', '.join(missing)}")
    for part in ("train", "val"):
        if (table["part"] == part).sum() < BATCH:
            refuse(f"{file} has fewer than {BATCH} rows whose part is {part}")
    if absent := [name for name in [*table["path"], *table["mask"]] if not (file.parent / str(name)).is_file()]:
        refuse(f"there is no file {file.parent / str(absent[0])}, which {file} names")
    return table


class Views(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """Batches of augmented views, others each epoch."""

    def __init__(self, pairs: list[Pair], weights: NDArray[np.float64]) -> None:
        super().__init__(workers=1, max_queue_size=8)
        self.pairs, self.weights, self.epoch = pairs, weights, 0

    def __len__(self) -> int:
        return len(self.pairs) // BATCH

    def __getitem__(self, batch: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        random = np.random.default_rng((SEED, self.epoch, batch))
        drawn = random.choice(len(self.pairs), BATCH, replace=False, p=self.weights)
        images, masks = zip(*(view(*self.pairs[place], SIDE, random) for place in drawn), strict=True)
        return np.stack(images).astype(np.float32), np.stack(masks).astype(np.float32)

    def on_epoch_end(self) -> None:
        """Other views from now on."""
        self.epoch += 1


def weights_of(table: pd.DataFrame) -> NDArray[np.float64]:
    """How often each training image is drawn: sources count by the root of their size."""
    sources = table.loc[table["part"] == "train", "source"]
    weights = 1 / np.sqrt(sources.map(sources.value_counts()).to_numpy(float))
    return weights / weights.sum()


def fit(network: keras.Model, views: Views, epochs: int) -> None:
    """Train with a cosine schedule; the weights of the end are their moving average."""
    steps = epochs * len(views)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE / 10, steps, warmup_target=LEARNING_RATE, warmup_steps=steps // 20)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, use_ema=True, ema_momentum=0.99)
    network.compile(optimizer, _loss)
    network.fit(views, epochs=epochs, verbose=2)
    optimizer.finalize_variable_values(network.trainable_variables)


def _loss(masks: Any, probabilities: Any) -> Any:
    """Cross-entropy and 1 - Dice (Milletari et al., 3DV 2016)."""
    both = 2 * ops.sum(masks * probabilities, (1, 2, 3)) + 1
    dice = both / (ops.sum(masks, (1, 2, 3)) + ops.sum(probabilities, (1, 2, 3)) + 1)
    return ops.mean(keras.losses.binary_crossentropy(masks, probabilities)) + 1 - ops.mean(dice)


def scores(network: keras.Model, root: Path, table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Mean Dice of each source's masks, and that of its worst tenth."""
    pairs = [_pair(root, row) for row in table.itertuples()]
    images = np.stack([np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)) for image, _ in pairs])
    masks = np.stack([np.asarray(mask.resize((SIDE, SIDE), Image.Resampling.BILINEAR)) > 127 for _, mask in pairs])
    predicted = network.predict(images[..., None].astype(np.float32), batch_size=16, verbose=0)[..., 0]
    found = np.stack([two_largest(probabilities > 0.5) for probabilities in predicted])
    dice = 2 * (found & masks).sum((1, 2)) / (found.sum((1, 2)) + masks.sum((1, 2)))
    result = {}
    for source, rows in table.reset_index(drop=True).groupby("source").groups.items():
        values = np.sort(dice[rows])
        worst = values[: max(1, round(len(values) / 10))]
        result[str(source)] = {"images": len(values), "mean": round(values.mean(), 4), "worst_tenth": round(worst.mean(), 4)}
    return result


def write(network: keras.Model, folder: Path) -> None:
    """Write the network with weights of 16 bits."""
    folder.mkdir(parents=True, exist_ok=True)
    converted = openvino.convert_model(network)
    alone = openvino.Model(
        [converted.outputs[0].get_node().input_value(0)], converted.get_parameters(), "lungs"
    )  # no shapes beside
    openvino.save_model(alone, folder / "lungs.xml", compress_to_fp16=True)


def _pair(root: Path, row: Any) -> Pair:
    image, mask = Image.open(root / row.path).convert("L"), Image.open(root / row.mask).convert("L")
    return image, mask.resize(image.size, Image.Resampling.BILINEAR)


if __name__ == "__main__":
    main()
