"""How often an audit finds a shortcut that was planted into phantoms, names its place, and sees one in phantoms without any."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from measure import Options, add_row, table
from remedy_payoff import SHORTCUTS, payoff_table
from rich.table import Table

from cxr.anatomy.phantom import CLASS_SHARES, draw
from cxr.config.schema import AuditConfig, BackboneConfig, Config, DataConfig, PhantomConfig
from cxr.data.sources.phantom import class_counts
from cxr.evaluation.light import Light
from cxr.system import cores, prepare_memory
from cxr.training.runtime import prepare_tensorflow

_PLACES = {"marker": ("corners", "marks"), "border": ("border",), "exposure": ("exposure",), "resolution": ("resolution",)}


def answer(options: Options) -> Iterator[Table]:
    """Audit the shipped backbone for each shortcut and strength, and on phantoms without any; then what remedies are worth."""
    seeds, images = options.args.seeds, options.args.phantoms
    title = f"Shortcuts planted into {images} phantoms, {seeds} seeds: shares of audits that see evidence"
    result = table(title, "strength", "evidence", "strong", "right place first")
    with ProcessPoolExecutor(cores(), initializer=_prepare) as pool:
        for shortcut, strength in [("none", 0.0), *product(SHORTCUTS, options.args.strengths)]:
            phantoms = [PhantomConfig(images, seed=seed, shortcut=shortcut, strength=strength) for seed in range(seeds)]
            verdicts = list(pool.map(_light, phantoms))
            seen = [places for light, places in verdicts if light in (Light.SOME, Light.STRONG)]
            strong = np.mean([light is Light.STRONG for light, _ in verdicts])
            placed = [places[:1] != [] and places[0] in _PLACES.get(shortcut, ()) for places in seen]
            share = f"{np.mean(placed):.0%}" if placed and shortcut != "none" else "-"
            add_row(result, shortcut, f"{strength:g}", f"{len(seen) / seeds:.0%}", f"{strong:.0%}", share)
    yield result
    yield payoff_table(min(seeds, 5), images)


def _prepare() -> None:
    prepare_memory()
    config = Config()
    config.training.threads = 1
    prepare_tensorflow(config.training)


def _light(phantoms: PhantomConfig) -> tuple[Light, list[str]]:
    """The light and the places of the verdict."""
    from cxr.anatomy.lung_masks import lung_masks
    from cxr.audit.probes.regions import retained_without_lungs, score_regions
    from cxr.audit.probes.traits import named_aucs, trait_results
    from cxr.audit.subject import Subject
    from cxr.audit.verdict import verdict_of
    from cxr.data.images.decode import read_grey
    from cxr.model.network import build_network
    from cxr.model.saved import save_model
    from cxr.model.weights import PHANTOM_WEIGHTS, Weights
    from cxr.training.trained_model import open_model

    classes = tuple(CLASS_SHARES)
    rows = [(label, number) for label, count in class_counts(phantoms.count).items() for number in range(count)]
    images = np.stack([draw(label, number, phantoms) for label, number in rows])[..., None]
    names = [f"{label}/images/{label}-{number + 1}.png" for label, number in rows]
    size = phantoms.image_size
    manifest = pd.DataFrame({"path": names, "group": names, "source": "", "width": size, "height": size, "mode": "L"})
    manifest[["blocks_across", "blocks_down"]] = 0.0  # phantoms are PNG
    masks = lung_masks(DataConfig(name="phantom", phantom=phantoms), Path(), manifest, images, read_grey)
    labels = np.array([classes.index(label) for label, _ in rows])
    subject = Subject(classes, images, masks.masks, masks.text, labels, manifest, np.ones(len(rows), bool))
    network = build_network(BackboneConfig(alpha=0.35, image_size=size), len(classes), Weights(path=PHANTOM_WEIGHTS))
    with tempfile.TemporaryDirectory(prefix="cxr-bench-") as folder:
        save_model(network, Path(folder) / "model.keras")
        model, sample = open_model(Path(folder) / "model.keras", Config()), subject.only(subject.sample(AuditConfig().seen))
        left = retained_without_lungs(score_regions(sample, model), sample)
    verdict = verdict_of(left, named_aucs(trait_results(subject)))
    return verdict.light, verdict.places
