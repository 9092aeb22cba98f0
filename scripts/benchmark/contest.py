"""The contests: each does the same work with cxr and with the plain loop, in separate processes, in turn."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from measure import Measured, plain_loop, timed_process

from cxr.config.schema import TrackingConfig
from cxr.tracking.search import LoggedRun, filtered_runs
from cxr.tracking.store import locate_store, open_store

_OWN_WORK = ("index", "decode", "frozen", "train", "evaluate")  # without imports and logging


@dataclass(frozen=True)
class Images:
    """Images and weights that both sides use."""

    root: Path
    weights: str
    size: int = 224
    alpha: float = 1.0

    def for_cxr(self) -> list[str]:
        """Overrides."""
        size = [f"backbone.image_size={self.size}", f"backbone.alpha={self.alpha}"]
        return ["data=radiography", f"data.root={self.root}", "backbone=mobilenet_v2", f"backbone.weights={self.weights}", *size]


@dataclass(frozen=True)
class Contest:
    """The same training by both sides."""

    name: str
    cxr: tuple[str, ...]
    plain: tuple[str, ...]
    runs: int = 1  # of a sweep; the plain loop is a process for each


def contests(epochs: int) -> list[Contest]:
    """All of them; `epochs` is that of the seed's protocol, 6."""
    seed = ("experiment=original_protocol", f"training.epochs={epochs}", "training.early_stopping_patience=null")
    bare = (*seed, "augment=none")
    sweep = ("-m", "loss=plain,balanced,focal", "optimizer=adam,adamw,rmsprop,sgd", "optimizer.learning_rate=1e-3")
    heads = ("-m", "loss=plain,balanced,focal", "optimizer=adam,adamw,sgd,rmsprop", "augment=none", "freeze=head")
    four = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=4")
    stage = ("freeze=last_stage", "augment=original_protocol", f"training.epochs={epochs + 2}", "freeze.warmup_epochs=2", *seed[2:])
    deep = ("--epochs", str(epochs), "--warmup-epochs", "2", "--trainable-from", "block_13_expand", "--input-low", "-1")
    short, long = ("--epochs", str(epochs)), ("--epochs", str(10 * epochs // 3))
    head = ("freeze=head", "augment=none", "split=train_val_80_20", f"training.epochs={10 * epochs // 3}", *seed[2:])
    tuned = ("experiment=fine_tuned", "split=train_val_80_20")
    return [
        Contest("seed's protocol, fresh augmentation", seed, ("--augment", *short)),
        Contest("experiment=fine_tuned, against a plain loop of the original script", tuned, ("--augment", *short)),
        Contest(f"frozen head, no augmentation, {10 * epochs // 3} epochs", head, ("--input-low", "-1", *long)),
        Contest("12 frozen-head runs, light augmentation", (*sweep, *seed), ("--augment", *short), runs=12),
        Contest("12 frozen-head runs, no augmentation", (*sweep, *bare), short, runs=12),
        Contest(
            "12 heads of 15 epochs side by side, audits and reports included",
            (*heads, "training.epochs=15"),
            ("--input-low", "-1", "--epochs", "15"),
            runs=12,
        ),
        Contest("12 frozen-head runs, no augmentation, 4 at once", (*sweep, *bare, *four), short, runs=12),
        Contest(
            f"last_stage, {epochs} epochs after warm-up, light augmentation",
            (*stage, "split=train_val_80_20"),
            ("--augment", *deep),
        ),
        Contest(
            f"last_stage, {epochs} epochs after warm-up, no augmentation", (*stage, "split=train_val_80_20", "augment=none"), deep
        ),
    ]


@dataclass(frozen=True)
class Desk:
    """A folder for the runs of one measurement, with a cache of its own that begins empty."""

    folder: Path

    def cxr(self, images: Images, overrides: tuple[str, ...]) -> Measured:
        """One command of cxr; what it says are the metrics of its last run."""
        command = [sys.executable, "-m", "cxr", *overrides, *images.for_cxr()]
        wall, memory, _ = timed_process(command, self.folder, {"CXR_CACHE": str(self.folder / "cache")})
        runs = self.runs()
        work = sum(run.metrics.get(f"seconds/{name}", 0.0) for run in runs[:1] for name in _OWN_WORK)
        return Measured(wall, work, memory, dict(runs[0].metrics))

    def runs(self) -> list[LoggedRun]:
        """Runs made here, latest first."""
        open_store(locate_store(TrackingConfig(uri=f"sqlite:///{self.folder}/mlruns/mlflow.db")))
        return filtered_runs("attributes.status = 'FINISHED'")

    def manifest(self) -> Path:
        """Which images trained and validated in the last run."""
        return self.runs()[0].file("data/manifest.csv")

    def manifest_table(self) -> pd.DataFrame:
        """The same as a table."""
        return pd.read_csv(self.manifest(), dtype=str)


@contextmanager
def desk() -> Iterator[Desk]:
    """A fresh one, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="cxr-bench-"))
    try:
        yield Desk(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def hold(contest: Contest, images: Images, seed: int) -> tuple[Measured, Measured]:
    """Both sides, cxr first: it decides who trains and who validates, and the plain loop takes the same images.

    Of a sweep's plain loops one is run and counts `runs` times: they are the same process but for names of loss and optimizer.
    """
    with desk() as ours:
        by_cxr = ours.cxr(images, (*contest.cxr, f"training.seed={seed}"))
        shared = ["--manifest", str(ours.manifest()), "--root", str(images.root), "--weights", images.weights, "--seed", str(seed)]
        size = ["--image-size", str(images.size), "--alpha", str(images.alpha)]
        plain = plain_loop(ours.folder, [*shared, *size, *contest.plain])
    return by_cxr, replace(plain, wall=contest.runs * plain.wall, work=contest.runs * plain.work)


def subset(images: Images, count: int, folder: Path) -> Images:
    """So many of the images, each class by its share, as links."""
    paths = pd.Series(sorted(images.root.glob("*/images/*.png")))
    share = count / len(paths)
    for _, of_class in paths.groupby(paths.map(lambda path: path.parent.parent.name)):
        for path in of_class.iloc[: max(4, round(share * len(of_class)))]:
            link = folder / path.relative_to(images.root)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.resolve())
    return replace(images, root=folder)
