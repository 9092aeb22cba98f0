"""What a model loses where a planted shortcut is turned round: trained plainly, and with `experiment=lungs_first`."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from audit_power import SHORTCUTS

from cxr.config.schema import TrackingConfig
from cxr.tracking.search import filtered_runs
from cxr.tracking.store import locate_store, open_store

# The same depth and epochs as the preset, without its remedies.
_PLAIN = ("freeze=half", "augment=light", "optimizer=adam_fast", "training=long")
MODELS = {"plain": _PLAIN, "lungs_first": ("experiment=lungs_first",)}
_OTHER_SEED = 100  # of the phantoms that both models are evaluated on, added to the seed of those that they learn from


@dataclass(frozen=True)
class Payoff:
    """Accuracy of one model of one seed on new phantoms with the shortcut as it was learned, and turned round."""

    shortcut: str
    model: str
    seed: int
    as_learned: float
    turned: float


def remedy_payoff(seeds: int, images: int) -> Iterator[Payoff]:
    """Train both models for each shortcut and seed, one after another, and evaluate them on other phantoms."""
    with tempfile.TemporaryDirectory(prefix="cxr-bench-") as folder:
        for shortcut in SHORTCUTS:
            for seed in range(seeds):
                for model in MODELS:
                    yield Payoff(shortcut, model, seed, *_of_one(Path(folder), shortcut, model, seed, images))


def _of_one(folder: Path, shortcut: str, model: str, seed: int, images: int) -> tuple[float, float]:
    name = f"{shortcut}-{model}-{seed}"
    phantoms = (f"data.phantom.count={images}", f"data.phantom.shortcut={shortcut}", "evaluation=numbers")
    _cxr(
        folder,
        *phantoms,
        *MODELS[model],
        f"data.phantom.seed={seed}",
        f"training.seed={seed}",
        "audit=off",
        f"tracking.run_name={name}",
    )
    found = []
    for turned in ("false", "true"):
        other = ("data=phantom", f"data.phantom.seed={_OTHER_SEED + seed}", f"data.phantom.turned={turned}")
        _cxr(folder, "evaluate", name, *other, *phantoms)
        found.append(_latest_accuracy(folder))
    return found[0], found[1]


def _cxr(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cxr", *arguments], cwd=folder, env=os.environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"cxr {' '.join(arguments)} failed: {done.stderr.strip().splitlines()[-1]}")


def _latest_accuracy(folder: Path) -> float:
    """Of the latest evaluation on other data."""
    open_store(locate_store(TrackingConfig(uri=f"sqlite:///{folder}/mlruns/mlflow.db")))
    return filtered_runs("tags.`cxr.role` = 'evaluation'")[0].metrics["external/accuracy"]
